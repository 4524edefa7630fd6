#include "cli/api_key_file.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace paro::cli {
namespace {

constexpr int64_t kMaxFileBytes = 1 << 20;
constexpr std::string_view kBlanks = " \t\r";

std::string_view trimmed(std::string_view line) {
  const size_t begin = line.find_first_not_of(kBlanks);
  return begin == line.npos ? "" : line.substr(begin, line.find_last_not_of(kBlanks) - begin + 1);
}

bool is_printable_ascii(char c) { return c >= ' ' && c <= '~'; }

}  // namespace

std::vector<std::string> read_api_keys(const std::filesystem::path& path) {
  const std::string text = read_text_file(path, kMaxFileBytes);
  std::vector<std::string> keys;
  int n_lines = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view key = trimmed(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
    ++n_lines;
    if (key.empty() || key.front() == '#') continue;
    if (!std::all_of(key.begin(), key.end(), is_printable_ascii)) {
      throw Error(ErrorKind::usage,
                  "--api-key-file '{}': the key of line {} has characters that no header can carry, expected printable "
                  "ASCII; give another key",
                  path.string(), n_lines);
    }
    keys.emplace_back(key);
  }
  if (keys.empty()) {
    throw Error(ErrorKind::usage,
                "--api-key-file '{}' has no key, expected one a line; write one, or leave the flag out", path.string());
  }
  return keys;
}

}  // namespace paro::cli
