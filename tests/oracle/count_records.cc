// Counts the records of captures, for comparison with capinfos: reads paths from
// standard input, one a line, and writes for each `count TAB path TAB fault`.

#include <cstring>
#include <iostream>
#include <string>

#include "capture/reader.h"

int main() {
  for (std::string path; std::getline(std::cin, path);) {
    wirelap::Input input({});
    const int error = input.open(path);
    wirelap::Reader reader(input, path);
    wirelap::Record record;
    std::uint64_t count = 0;
    if (error == 0 && reader.start()) {
      while (reader.next(record)) ++count;
    }
    std::cout << count << '\t' << path << '\t'
              << (error != 0 ? std::strerror(error) : reader.fault() ? wirelap::describe(*reader.fault()) : "") << '\n';
  }
}
