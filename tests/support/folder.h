// A folder for a test's files.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <sys/stat.h>

namespace wirelap::test {

/// A temporary folder, which the destructor removes. All users may read and write in it, because
/// wirelap becomes the user nobody where it was started as root.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/wirelap-test-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
    ::chmod(name, 0777);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  /// Creates the file `name` with `content`. Returns its path.
  std::string add(const std::string& name, std::string_view content, int mode = 0644) const {
    const std::string path = path_ + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    ::chmod(path.c_str(), static_cast<mode_t>(mode));
    return path;
  }
  const std::string& path() const { return path_; }
  /// The path of the file `name` in the folder.
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace wirelap::test
