// options: the command line.
//
// In: the arguments of the program. Out: what it is to do, or the text of a usage error. Nothing is printed or opened
// here.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "engine.h"
#include "output/writer.h"

namespace wirelap {

/// One output of a run.
struct OutputOption {
  std::string path = "-";          ///< "-": standard output
  const Format* format = nullptr;  ///< null: the default of standard output, which depends on what that is
};

struct Options {
  enum class Action { read, print_help, print_version, print_columns };

  Action action = Action::read;
  std::vector<std::string> captures;  ///< "-": standard input; none are named: empty
  std::vector<OutputOption> outputs;  ///< at least one
  bool classic = false;               ///< the only output is in the classic format
  bool quiet = false;
  bool sandbox = true;
  EngineOptions engine;
};

/// What is wrong with the arguments, as one line that contains them as they were given.
struct UsageError {
  std::string text;
};

/// `argv` is that of main(); its elements are put in another order. One thread at a time can call it.
std::variant<Options, UsageError> parse_options(int argc, char** argv);

/// The text of --help.
std::string help_text();

}  // namespace wirelap
