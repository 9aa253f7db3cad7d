#include "report/row.h"

namespace wirelap {

std::string_view name_of(http::Outcome outcome) {
  switch (outcome) {
    case http::Outcome::complete: return "complete";
    case http::Outcome::no_response: return "no_response";
    case http::Outcome::reset: return "reset";
    case http::Outcome::closed: return "closed";
    case http::Outcome::gap: return "gap";
    case http::Outcome::capture_end: return "capture_end";
    case http::Outcome::evicted: return "evicted";
  }
  return "";
}

namespace {

/// The handshake up to where its first exchange begins: with Fast Open
/// (RFC 7413) a request is under way before the handshake ends.
Nanos measure_connect(const http::Exchange& exchange, const Handshake& handshake, Nanos begin) {
  if (exchange.number != 1) return 0;
  return Handshake::between(handshake.first_syn, std::min(handshake.ack, begin));
}

}  // namespace

Phases measure_phases(const http::Exchange& exchange, const Handshake& handshake) {
  const http::Message& request = exchange.request;
  const http::Message& response = exchange.response;
  Phases phases;
  phases.connect = measure_connect(exchange, handshake, request.begun ? request.first : response.first);
  phases.tls = phases.connect == kUnknownTime ? kUnknownTime : 0;
  const Nanos end = std::max(exchange.ended, std::max(request.last, response.last));
  if (request.begun) {
    // A request that never became whole was being sent until the end.
    const bool cut = !request.complete && !response.begun;
    const Nanos sent = std::max(request.first, cut ? end : request.last);
    const Nanos answered = response.begun ? std::max(sent, response.first) : std::max(sent, end);
    phases.send = sent - request.first;
    phases.wait = answered - sent;
    phases.receive = std::max(answered, end) - answered;
  } else {
    phases.receive = std::max(response.first, end) - response.first;
  }
  for (const Nanos phase : {phases.connect, phases.tls, phases.send, phases.wait, phases.receive}) {
    if (phase != kUnknownTime) phases.total += phase;
  }
  return phases;
}

}  // namespace wirelap
