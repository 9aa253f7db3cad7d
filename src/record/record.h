// record: a finished exchange or connection as a value.
//
// In: an exchange with its connection, or a connection alone, when it is finished. Out: a Record, final and owning:
// nothing in it refers to the exchange, the connection or the capture. All outputs, the library and the tests read
// records alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "exchange/exchange.h"
#include "flow/connection.h"
#include "record/schema.h"

namespace wirelap {

/// A header field of a message, as a column.
struct HeaderColumn {
  std::string name;   ///< of the column
  std::string value;  ///< of the field; empty where it is not known
  bool known = false;
};

/// Where a message is: in time and in its stream. Unknown times are kUnknownTime.
struct MessageExtent {
  Nanos first = kUnknownTime, last = kUnknownTime;  ///< when its first and its last byte were received in order
  std::uint64_t begin = 0, end = 0;                 ///< offsets in the stream, from the connection's first byte on
};

/// An exchange or a connection, as `type` has it.
struct Record : Columns {
  int decimals = 6;                   ///< of times, as many as the capture has: 6 to 9
  std::vector<HeaderColumn> headers;  ///< an exchange's further columns, between `outcome` and `interpacket_times`

  // Of exchanges, and in no column:
  std::uint32_t stream = 0;  ///< of HTTP/2: its identifier
  MessageExtent request_extent, response_extent;
};

/// The capture that a record comes from.
struct CaptureInfo {
  std::string_view name;
  int decimals = 6;  ///< of its times
};

/// Fills `record` with `exchange`, an exchange of `connection`, and the further columns that `wanted` asks for. A
/// record that is filled again keeps its memory, so that steady traffic allocates nothing; use it for exchanges alone.
void fill_record(Record& record, const CaptureInfo& capture, const Connection& connection, const Exchange& exchange,
                 const Wanted& wanted);

/// Fills `record` with a connection. `client`: the side of the client, as well as it is known. Use it for connections
/// alone.
void fill_record(Record& record, const CaptureInfo& capture, const Connection& connection, Side client);

/// Sets `wanted.header_columns`, the names of the columns of `wanted.headers`: the headers' own names, with "header_"
/// before those that a column of records has already.
void name_header_columns(Wanted& wanted);

/// These names; the headers' own where they have not been set.
inline const std::vector<std::string>& header_columns(const Wanted& wanted) {
  return wanted.header_columns.empty() ? wanted.headers : wanted.header_columns;
}

}  // namespace wirelap
