#include "app/registry.h"

#include <memory_resource>
#include <new>
#include <utility>

namespace wirelap {
namespace {

/// Calls `visitor` with the analyzer as an object of its own class.
template <class Visitor>
auto visit(Analyzer& analyzer, const Visitor& visitor) {
  switch (static_cast<AnalyzerKind>(analyzer.kind)) {
    case AnalyzerKind::h2: return visitor(static_cast<h2::Analyzer&>(analyzer));
    case AnalyzerKind::tls: return visitor(static_cast<tls::Analyzer&>(analyzer));
    case AnalyzerKind::generic: return visitor(static_cast<generic::Analyzer&>(analyzer));
    case AnalyzerKind::http1: break;
  }
  return visitor(static_cast<http1::Analyzer&>(analyzer));
}

template <class Concrete, class... Arguments>
Concrete& make(AnalyzerKind kind, std::pmr::memory_resource* memory, Arguments&&... arguments) {
  void* const at = memory->allocate(sizeof(Concrete), alignof(Concrete));
  Concrete& made = *::new (at) Concrete(std::forward<Arguments>(arguments)...);
  made.kind = static_cast<std::uint8_t>(kind);
  return made;
}

template <class Concrete>
[[gnu::noinline]] void destroy_concrete(Concrete& analyzer) {
  std::pmr::memory_resource* const memory = analyzer.log().memory();
  analyzer.~Concrete();
  memory->deallocate(&analyzer, sizeof(Concrete), alignof(Concrete));
}

}  // namespace

Found probe_all(const Opening& opening, bool tls_only) {
  if (const Probe probe = tls::Analyzer::probe(opening); probe.found()) return {AnalyzerKind::tls, probe};
  if (!tls_only) {
    if (const Probe probe = h2::Analyzer::probe(opening); probe.found()) return {AnalyzerKind::h2, probe};
    if (const Probe probe = http1::Analyzer::probe(opening); probe.found()) return {AnalyzerKind::http1, probe};
  }
  return {AnalyzerKind::generic, generic::Analyzer::probe(opening)};
}

Analyzer& make_analyzer(AnalyzerKind kind, const StreamView& view, ExchangePool& pool, const Probe& probe) {
  switch (kind) {
    case AnalyzerKind::h2: return make<h2::Analyzer>(kind, pool.memory(), view, pool, probe);
    case AnalyzerKind::tls: return make<tls::Analyzer>(kind, pool.memory(), view, pool, probe);
    case AnalyzerKind::generic: return make<generic::Analyzer>(kind, pool.memory(), view, pool, probe);
    case AnalyzerKind::http1: break;
  }
  return make<http1::Analyzer>(kind, pool.memory(), view, pool, probe);
}

Analyzer& upgrade_to_h2(http1::Analyzer& before, std::uint64_t requests, std::uint64_t responses) {
  Analyzer& made =
      make<h2::Analyzer>(AnalyzerKind::h2, before.log().memory(), std::move(before.log()), requests, responses);
  made.first_sender = before.first_sender;
  made.first_arrival = before.first_arrival;
  destroy_concrete(before);
  return made;
}

void destroy(Analyzer& analyzer) {
  visit(analyzer, [](auto& concrete) { destroy_concrete(concrete); });
}

void feed(Analyzer& analyzer, Direction direction, const StreamData& data, const Arrival& arrival) {
  visit(analyzer, [&](auto& concrete) { concrete.feed(direction, data, arrival); });
}

void gap(Analyzer& analyzer, Direction direction, std::uint64_t count, bool captured, const Arrival& arrival) {
  visit(analyzer, [&](auto& concrete) { concrete.gap(direction, count, captured, arrival); });
}

void finish(Analyzer& analyzer, Direction direction, const Arrival& arrival) {
  visit(analyzer, [&](auto& concrete) { concrete.finish(direction, arrival); });
}

void finish(Analyzer& analyzer, Outcome outcome, Nanos time) {
  visit(analyzer, [&](auto& concrete) { concrete.finish(outcome, time); });
}

std::uint64_t skippable(Analyzer& analyzer, Direction direction) {
  return visit(analyzer, [&](auto& concrete) { return concrete.skippable(direction); });
}

Verdict verdict_of(Analyzer& analyzer) {
  return visit(analyzer, [](auto& concrete) { return concrete.verdict(); });
}

std::size_t held_bytes(Analyzer& analyzer) {
  return visit(analyzer, [](auto& concrete) { return concrete.held_bytes(); });
}

}  // namespace wirelap
