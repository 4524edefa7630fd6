#include "base/cgroup.h"

#include <fstream>
#include <string>

namespace paro {
namespace {

bool lists(std::string_view controllers, std::string_view wanted) {
  while (!controllers.empty()) {
    const auto comma = controllers.find(',');
    if (controllers.substr(0, comma) == wanted) return true;
    if (comma == std::string_view::npos) return false;
    controllers.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

std::vector<CgroupDirectory> cgroup_directories(const std::filesystem::path& root, std::string_view controller) {
  std::vector<CgroupDirectory> directories;
  const std::string mounts = (root / "sys/fs/cgroup").string();
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // number:controllers:/path
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && !lists(controllers, controller)) continue;
    // A container may see its own group at the mount, under a path that is another's: what is not there is passed by.
    for (std::string path = line.substr(second + 1);;) {
      if (v2) {
        directories.push_back({mounts + path, true});
        directories.push_back({mounts + "/unified" + path, true});
      } else {
        directories.push_back({mounts + "/" + std::string(controller) + path, false});
        directories.push_back({mounts + "/" + controllers + path, false});
      }
      const auto slash = path.rfind('/');
      if (path.empty() || path == "/" || slash == std::string::npos) break;
      path.resize(slash);
    }
  }
  return directories;
}

}  // namespace paro
