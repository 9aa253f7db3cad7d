// options: the command line, from its arguments to the options or the usage error.
#include <doctest/doctest.h>

#include <string>
#include <variant>
#include <vector>

#include "options.h"

namespace wirelap {
namespace {

std::variant<Options, UsageError> parse(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  arguments.insert(arguments.begin(), "wirelap");
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  return parse_options(static_cast<int>(arguments.size()), argv.data());
}

/// The arguments in `line`, separated by spaces.
std::vector<std::string> words(const std::string& line) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    all.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

/// The outputs as "PATH=FORMAT", or the usage error.
std::string outputs(const std::string& line) {
  const auto parsed = parse(words(line));
  if (const auto* error = std::get_if<UsageError>(&parsed)) return error->text;
  const Options& options = std::get<Options>(parsed);
  CHECK(options.classic == (options.outputs[0].format == find_format("classic")));
  std::string text;
  for (const OutputOption& output : options.outputs)
    (text += (text.empty() ? "" : " ") + output.path + "=") += output.format ? output.format->name : "default";
  return text;
}

TEST_CASE("options: outputs and their formats") {
  const struct {
    const char *line, *expected;
  } cases[] = {
      {"", "-=default"},
      {"-f csv", "-=csv"},
      {"--format=json x.pcap", "-=json"},
      {"-f csv -f json", "-=json"},
      {"-o a.ndjson", "a.ndjson=ndjson"},
      {"-o a.json -o dir/b.csv", "a.json=json dir/b.csv=csv"},
      {"-o a -o b.pcap -o c.CSV -o csv", "a=ndjson b.pcap=ndjson c.CSV=ndjson csv=ndjson"},
      {"-o a.csv.json", "a.csv.json=json"},
      {"-f table -o a.csv", "a.csv=table"},
      {"-o a.csv -f table", "a.csv=csv -=table"},
      {"-f json -o a -f csv", "a=json -=csv"},
      {"-f json -o a -o b.csv", "a=json b.csv=csv"},
      {"-o - -o a.csv", "-=default a.csv=csv"},
      {"-f csv -o -", "-=csv"},
      {"-o - -f csv", "-=csv"},
      {"-f csv x.pcap -o a", "a=csv"},
      {"-f classic", "-=classic"},
      {"-f classic -o a.json", "a.json=classic"},
      {"-o - -o -", "two outputs go to standard output"},
      {"-f csv -o - -f json", "two outputs go to standard output"},
      {"-o a -o b -o a", "two outputs go to 'a'"},
      {"-f classic -o a -o b", "format 'classic' cannot be combined with other outputs"},
      {"-o a -f classic", "format 'classic' cannot be combined with other outputs"},
      {"-f xml", "unknown format 'xml': expected one of table, ndjson, json, csv, classic"},
      {"-f html", "format 'html' is not available yet"},
      {"-o a.txt", "format 'report' is not available yet"},
      {"-o a.report.json", "format 'report-json' is not available yet"},
      {"-o a.otlp.json", "format 'otlp' is not available yet"},
      {"-o a.har -o b.trace", "format 'har' is not available yet"},
      {"-f json -o a.html", "a.html=json"},
  };
  for (const auto& test : cases) {
    CAPTURE(test.line);
    CHECK(outputs(test.line) == test.expected);
  }
}

TEST_CASE("options: usage errors name the argument and what is expected") {
  const struct {
    const char *line, *expected;
  } cases[] = {
      {"--nonsense", "unknown option '--nonsense'"},
      {"--nonsense=3", "unknown option '--nonsense'"},
      {"-x", "unknown option '-x'"},
      {"-qx", "unknown option '-x'"},
      {"--quiet -xq", "unknown option '-x'"},
      {"--quiet=3", "option '--quiet' takes no argument"},
      {"--tcp=3", "option '--tcp' takes no argument"},
      {"-o", "option '-o' needs an argument"},
      {"-qo", "option '-o' needs an argument"},
      {"--memory", "option '--memory' needs an argument"},
      {"--co", "'--co' can be --connections or --columns"},
      {"-p 0", "invalid port '0': expected 1 to 65535"},
      {"-p 65536", "invalid port '65536': expected 1 to 65535"},
      {"-p 80x", "invalid port '80x': expected 1 to 65535"},
      {"--memory 64Q", "invalid size '64Q' for --memory: expected bytes, or as 512k, 64M, 1G; at least 512k"},
      {"--memory 511k", "invalid size '511k' for --memory: expected bytes, or as 512k, 64M, 1G; at least 512k"},
      {"--header a,b", "invalid header name 'a,b'"},
      {"-f classic --tcp", "--tcp is not available with format 'classic'"},
      {"--join -f classic", "--join is not available with format 'classic'"},
  };
  for (const auto& test : cases) {
    CAPTURE(test.line);
    const auto parsed = parse(words(test.line));
    const auto* error = std::get_if<UsageError>(&parsed);
    REQUIRE(error != nullptr);
    CHECK(error->text == test.expected);
  }
}

TEST_CASE("options: captures, selections and columns are set; the action is to read") {
  const auto parsed = parse(words("a -r b --memory 64m -p 80 --port=81 --header ETag --header etag --s3 --join --packets "
                                  "--connections --tcp -q --no-sandbox -- -c"));
  const Options& options = std::get<Options>(parsed);
  CHECK(options.captures == std::vector<std::string>{"b", "a", "-c"});
  CHECK(options.engine.memory_bytes == std::size_t{64} << 20);
  CHECK(options.engine.ports == std::vector<std::uint16_t>{80, 81});
  CHECK(options.engine.wanted.headers ==
        std::vector<std::string>{"etag", "x-amz-request-id", "x-amz-id-2", "range"});
  CHECK(options.engine.wanted.header_columns.size() == 4);
  CHECK(options.engine.wanted.steps);
  CHECK(options.engine.wanted.connections);
  CHECK(options.engine.tcp);
  CHECK(options.engine.join);
  CHECK(options.quiet);
  CHECK(!options.sandbox);
  using Action = Options::Action;
  CHECK(options.action == Action::read);
  const std::pair<const char*, Action> actions[] = {{"-h", Action::print_help},       {"--help", Action::print_help},
                                                    {"-V", Action::print_version},    {"--version", Action::print_version},
                                                    {"--col", Action::print_columns}, {"-qh --nonsense", Action::print_help}};
  for (const auto& [line, action] : actions) {
    CAPTURE(line);
    CHECK(std::get<Options>(parse(words(line))).action == action);
  }
}

}  // namespace
}  // namespace wirelap
