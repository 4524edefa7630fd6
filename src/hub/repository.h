// What a hub tells of a repository: which files it has at a revision, and what they have to be. Everything here comes
// from outside, names of files above all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace paro::hub {

struct RepositoryFile {
  std::string name;  // safe to be a file of a directory; a slash would make it one of a subdirectory
  int64_t size_bytes = 0;
  std::string sha256;    // hex, of large files; empty: not told
  std::string git_sha1;  // hex, of others: of "blob <size>\0" and the bytes; empty: not told
};

struct Repository {
  std::string commit;  // hex
  std::vector<RepositoryFile> files;

  const RepositoryFile* find(std::string_view name) const;  // nullptr: there is none
};

// ORG/NAME, as hubs spell it.
bool is_repository_name(std::string_view text);

// The answer to /api/models/ORG/NAME/revision/REVISION?blobs=true. Throws Error{io}, which begins with `where`; so does
// a file whose name would lie outside its directory.
Repository parse_repository(std::string_view json, std::string_view where);

// The files of weights that a model.safetensors.index.json names, each once. Throws Error{io} as above.
std::vector<std::string> parse_weight_index(std::string_view json, std::string_view where);

// The files beside the weights that a model consists of.
bool is_description(std::string_view name);

}  // namespace paro::hub
