// output: the list of all columns, for --columns and the manual page.
#pragma once

#include <string>

namespace wirelap {

/// A header line, and a line for each column: name, records that have it, type, whether it can be null, unit, and
/// description. With tabs between them, or, with `aligned`, with spaces, so that people can read it.
std::string list_columns(bool aligned);

}  // namespace wirelap
