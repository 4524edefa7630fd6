// What a hub answers: the files of a repository, and the index of its weights. Only Error{io} may come out, and no name
// of a file that leads out of a directory.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "hub/repository.h"
#include "require.h"

namespace {

using paro::require;

void check_stays_inside(const std::string& name) {
  const std::filesystem::path inside = ("/directory" / std::filesystem::path(name)).lexically_normal();
  require(inside.string().starts_with("/directory/") && name.find('\0') == name.npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t n_bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), n_bytes);
  paro::hub::is_repository_name(text);
  paro::allow(paro::ErrorKind::io, [&] {
    const paro::hub::Repository repository = paro::hub::parse_repository(text, "hub");
    for (const paro::hub::RepositoryFile& file : repository.files) {
      check_stays_inside(file.name);
      require(file.size_bytes >= 0 && repository.find(file.name) != nullptr);
    }
  });
  paro::allow(paro::ErrorKind::io, [&] {
    for (const std::string& name : paro::hub::parse_weight_index(text, "index")) check_stays_inside(name);
  });
  return 0;
}
