// app: the list of all analyzers, and calls to whichever of them a connection has.
//
// In: an Opening, or an analyzer with the arguments of a call. Out: the analyzer that
// finds its protocol, or what the called analyzer returns. A new protocol has its
// entry here and in registry.cc.
#pragma once

#include <cstddef>
#include <cstdint>

#include "app/analyzer.h"
#include "app/generic/analyzer.h"
#include "app/h2/analyzer.h"
#include "app/http1/analyzer.h"
#include "app/tls/analyzer.h"

namespace wirelap {

/// The analyzers, as Analyzer::kind numbers them.
enum class AnalyzerKind : std::uint8_t { http1, h2, tls, generic };

/// Which analyzer finds its protocol in an Opening.
struct Found {
  AnalyzerKind kind = AnalyzerKind::generic;
  Probe probe;
};

/// Asks the analyzers in turn and returns the first that finds its protocol; AnalyzerKind::generic where none does.
/// `tls_only`: only TLS can begin there, since other bytes came before.
Found probe_all(const Opening& opening, bool tls_only);

/// Makes an analyzer in the pool's memory. The caller owns it, and frees it with destroy().
Analyzer& make_analyzer(AnalyzerKind kind, const StreamView& view, ExchangePool& pool, const Probe& probe);
/// Makes the analyzer that continues `before` after its upgrade to HTTP/2, and destroys `before`. From these offsets on
/// the client's and the server's streams are HTTP/2.
Analyzer& upgrade_to_h2(http1::Analyzer& before, std::uint64_t requests, std::uint64_t responses);
void destroy(Analyzer& analyzer);

/// `analyzer` as an object of this class; null where it is of another kind.
inline http1::Analyzer* as_http1(Analyzer* analyzer) {
  const bool is = analyzer != nullptr && analyzer->kind == static_cast<std::uint8_t>(AnalyzerKind::http1);
  return is ? static_cast<http1::Analyzer*>(analyzer) : nullptr;
}
inline generic::Analyzer* as_generic(Analyzer* analyzer) {
  const bool is = analyzer != nullptr && analyzer->kind == static_cast<std::uint8_t>(AnalyzerKind::generic);
  return is ? static_cast<generic::Analyzer*>(analyzer) : nullptr;
}

// The functions that every analyzer has (app/analyzer.h).
void feed(Analyzer& analyzer, Direction direction, const StreamData& data, const Arrival& arrival);
void gap(Analyzer& analyzer, Direction direction, std::uint64_t count, bool captured, const Arrival& arrival);
void finish(Analyzer& analyzer, Direction direction, const Arrival& arrival);
void finish(Analyzer& analyzer, Outcome outcome, Nanos time);
std::uint64_t skippable(Analyzer& analyzer, Direction direction);
Verdict verdict_of(Analyzer& analyzer);
std::size_t held_bytes(Analyzer& analyzer);

}  // namespace wirelap
