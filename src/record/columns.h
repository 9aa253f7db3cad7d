// report: the names of records' columns, as a list.
//
// In: what records are to have. Out: the names, told by the columns themselves (row.h).
#pragma once

#include <string>
#include <vector>

#include "exchange/exchange.h"

namespace wirelap {

/// Those of an exchange's record, in order.
std::vector<std::string> names_of_exchange(const Wanted& wanted);

/// Those of a connection's.
std::vector<std::string> names_of_connection();

/// Names the columns of the wanted headers: as the headers are named, with "header_" before it
/// where a record has a column of that name already.
void name_header_columns(Wanted& wanted);

}  // namespace wirelap
