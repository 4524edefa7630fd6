// Where the control groups of this process have their files, in both versions.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace paro {

struct CgroupDirectory {
  std::filesystem::path path;
  bool v2 = true;
};

// The group of this process and all groups above it, up to the mount, for a controller of version 1 ("cpu", "memory")
// and for version 2: a limit of any of them holds. Some may not be there. `root` stands for "/".
std::vector<CgroupDirectory> cgroup_directories(const std::filesystem::path& root, std::string_view controller);

}  // namespace paro
