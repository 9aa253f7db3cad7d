// output: JSON (RFC 8259): one object a line, or one array of all objects.
#pragma once

#include "output/writer.h"

namespace wirelap {

/// Appends `record` as one JSON object, without a line end.
void put_json(Output& output, const Record& record);

/// One object a line, so that a reader can process each record as it comes.
class NdjsonWriter : public RecordWriter {
 public:
  explicit NdjsonWriter(Output& output) : output_(output) {}
  void write(const Record& record) override;

 private:
  Output& output_;
};

/// One array of the same objects.
class JsonWriter : public RecordWriter {
 public:
  explicit JsonWriter(Output& output) : output_(output) {}
  void write(const Record& record) override;
  void finish() override;

 private:
  Output& output_;
  bool empty_ = true;
};

}  // namespace wirelap
