// report: JSON (RFC 8259): an object a line, or one array of all.
#pragma once

#include "output/writer.h"

namespace wirelap {

/// One object a line, so that a reader can take each as it comes.
class NdjsonSink : public Sink {
 public:
  explicit NdjsonSink(Output& output) : output_(output) {}
  void write(const Row& row) override;
  void write_connection(const ConnectionRow& row) override;

 private:
  Output& output_;
};

/// One array of the same objects.
class JsonSink : public Sink {
 public:
  explicit JsonSink(Output& output) : output_(output) {}
  void write(const Row& row) override;
  void write_connection(const ConnectionRow& row) override;
  void finish() override;

 private:
  template <class AnyRow>
  void put_element(const AnyRow& row);

  Output& output_;
  bool empty_ = true;
};

}  // namespace wirelap
