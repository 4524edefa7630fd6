// The keys of --api-key-file: one a line; blank lines and lines that begin with # are none.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace paro::cli {

// Without the blanks around them. Errors name the file and the line, never what it holds: Error{io} when it cannot be
// read, Error{usage} when it has no key, or one that no client can send.
std::vector<std::string> read_api_keys(const std::filesystem::path& path);

}  // namespace paro::cli
