#include "hub/repository.h"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <set>

#include "base/error.h"

namespace paro::hub {
namespace {

namespace json = boost::json;

constexpr size_t kMaxNameBytes = 200;
constexpr size_t kMaxFiles = 10000;
constexpr int64_t kMaxFileBytes = int64_t(1) << 50;

constexpr std::array<std::string_view, 9> kDescriptions = {
    "config.json",           "generation_config.json",  "tokenizer.json",
    "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
    "chat_template.json",    "model_settings.json",     "model.safetensors.index.json"};

bool is_name_character(unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; }

bool is_name_part(std::string_view part) {
  return !part.empty() && part.size() <= kMaxNameBytes && part != "." && part != ".." &&
         std::all_of(part.begin(), part.end(), is_name_character);
}

// Printable, relative, and down from where it is only.
bool is_safe(std::string_view name) {
  if (name.empty() || name.size() > 4 * kMaxNameBytes || name.front() == '/' || name.back() == '/') return false;
  const auto is_bad = [](unsigned char c) { return c < ' ' || c == 0x7f || c == '\\' || c == ':'; };
  if (std::any_of(name.begin(), name.end(), is_bad)) return false;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == ".." || part.size() > kMaxNameBytes) return false;
    begin = end + 1;
  }
  return true;
}

bool is_hex(std::string_view text, size_t n_digits) {
  return text.size() == n_digits && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(std::string_view(value->get_string())) : std::string();
}

json::object parse_object(std::string_view text, std::string_view where) {
  boost::system::error_code failure;
  json::value value = json::parse(json::string_view(text.data(), text.size()), failure);
  if (failure) throw Error(ErrorKind::io, "{}: is not JSON: {}; is it a hub?", where, failure.message());
  if (!value.is_object()) throw Error(ErrorKind::io, "{}: is no JSON object; is it a hub?", where);
  return std::move(value.get_object());
}

RepositoryFile parse_file(const json::object& entry, std::string_view where) {
  RepositoryFile file{.name = text_at(entry, "rfilename")};
  if (!is_safe(file.name)) {
    throw Error(ErrorKind::io, "{}: a file's name is '{}', which may lead out of its directory; nothing is downloaded",
                where, file.name.substr(0, kMaxNameBytes));
  }
  const json::value* size = entry.if_contains("size");
  if (size != nullptr && size->is_int64()) file.size_bytes = size->get_int64();
  if (file.size_bytes < 0 || file.size_bytes > kMaxFileBytes)
    throw Error(ErrorKind::io, "{}: '{}' has {} bytes, which no file has", where, file.name, file.size_bytes);
  const json::value* large = entry.if_contains("lfs");
  if (large != nullptr && large->is_object()) {
    file.sha256 = text_at(large->get_object(), "sha256");
    if (!is_hex(file.sha256, 64))
      throw Error(ErrorKind::io, "{}: '{}' has the SHA-256 '{}', expected 64 hex digits", where, file.name,
                  file.sha256);
  } else if (const std::string hash = text_at(entry, "blobId"); is_hex(hash, 40)) {
    file.git_sha1 = hash;
  }
  return file;
}

}  // namespace

const RepositoryFile* Repository::find(std::string_view name) const {
  const auto file = std::find_if(files.begin(), files.end(), [&](const RepositoryFile& f) { return f.name == name; });
  return file == files.end() ? nullptr : &*file;
}

bool is_repository_name(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != text.npos && is_name_part(text.substr(0, slash)) && is_name_part(text.substr(slash + 1));
}

Repository parse_repository(std::string_view text, std::string_view where) {
  const json::object answer = parse_object(text, where);
  Repository repository{.commit = text_at(answer, "sha"), .files = {}};
  if (!is_hex(repository.commit, 40))
    throw Error(ErrorKind::io, "{}: 'sha' is '{}', expected a commit of 40 hex digits; is it a hub?", where,
                repository.commit.substr(0, kMaxNameBytes));
  const json::value* siblings = answer.if_contains("siblings");
  if (siblings == nullptr || !siblings->is_array())
    throw Error(ErrorKind::io, "{}: has no array 'siblings' of files; is it a hub?", where);
  if (siblings->get_array().size() > kMaxFiles)
    throw Error(ErrorKind::io, "{}: has {} files, expected at most {}", where, siblings->get_array().size(), kMaxFiles);
  std::set<std::string> names;
  for (const json::value& entry : siblings->get_array()) {
    if (!entry.is_object()) throw Error(ErrorKind::io, "{}: 'siblings' has what is no object; is it a hub?", where);
    RepositoryFile file = parse_file(entry.get_object(), where);
    if (!names.insert(file.name).second) throw Error(ErrorKind::io, "{}: '{}' is there twice", where, file.name);
    repository.files.push_back(std::move(file));
  }
  return repository;
}

std::vector<std::string> parse_weight_index(std::string_view text, std::string_view where) {
  const json::object index = parse_object(text, where);
  const json::value* map = index.if_contains("weight_map");
  if (map == nullptr || !map->is_object()) throw Error(ErrorKind::io, "{}: has no object 'weight_map'", where);
  std::set<std::string> names;
  for (const json::key_value_pair& entry : map->get_object()) {
    if (!entry.value().is_string()) throw Error(ErrorKind::io, "{}: 'weight_map' has what is no file's name", where);
    names.emplace(std::string_view(entry.value().get_string()));
  }
  for (const std::string& name : names) {
    if (!is_safe(name) || name.find('/') != name.npos)
      throw Error(ErrorKind::io, "{}: '{}' is no name of a file beside it", where, name.substr(0, kMaxNameBytes));
  }
  return {names.begin(), names.end()};
}

bool is_description(std::string_view name) {
  return std::find(kDescriptions.begin(), kDescriptions.end(), name) != kDescriptions.end();
}

}  // namespace paro::hub
