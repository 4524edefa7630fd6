// Files of a kernel that is not this machine's: what stands under its proc/ and sys/.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "tests/base/temporary_directory.h"

namespace paro::test {

class FakeTree {
 public:
  const std::filesystem::path& root() const { return directory_.path(); }

  void file(const std::string& path, std::string_view content) const {
    std::filesystem::create_directories((root() / path).parent_path());
    directory_.write(path, content);
  }

  // Processors that share a core, by twos or more: {"0,4", "1,5"}.
  void cores(std::initializer_list<const char*> siblings) const {
    for (const std::string list : siblings) {
      for (size_t at = 0; at < list.size(); at = list.find_first_of("0123456789", at)) {
        const size_t end = std::min(list.size(), list.find_first_not_of("0123456789", at));
        file("sys/devices/system/cpu/cpu" + list.substr(at, end - at) + "/topology/thread_siblings_list", list + "\n");
        at = end;
      }
    }
  }

 private:
  TemporaryDirectory directory_;
};

}  // namespace paro::test
