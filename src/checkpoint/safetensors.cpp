#include "checkpoint/safetensors.h"

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "checkpoint/json_document.h"

namespace paro {
namespace {

using Tensors = std::map<std::string, StoredTensor, std::less<>>;
using ShardOf = std::map<std::string, std::string, std::less<>>;  // tensor -> file name

constexpr int64_t kMaxHeaderBytes = 100 << 20;
constexpr int64_t kLengthBytes = 8;

Tensors read_header(const File& file) {
  const std::string name = file.path().filename().string();
  std::array<std::byte, kLengthBytes> length{};
  if (file.size_bytes() < kLengthBytes) {
    throw Error(ErrorKind::checkpoint, "{} has {} bytes, expected at least {}; is the file whole?", name,
                file.size_bytes(), kLengthBytes);
  }
  file.read_exact(0, length);
  uint64_t n_header_bytes = 0;
  for (int i = 0; i < kLengthBytes; ++i) n_header_bytes |= std::to_integer<uint64_t>(length[size_t(i)]) << 8 * i;
  if (n_header_bytes > uint64_t(kMaxHeaderBytes)) {
    throw Error(ErrorKind::checkpoint, "the header of {} has {} bytes, expected at most {}; is it a safetensors file?",
                name, n_header_bytes, kMaxHeaderBytes);
  }
  if (int64_t(n_header_bytes) > file.size_bytes() - kLengthBytes) {
    throw Error(ErrorKind::checkpoint, "the header of {} has {} bytes, the file {}; is the file whole?", name,
                n_header_bytes, file.size_bytes());
  }
  std::string header(n_header_bytes, '\0');
  file.read_exact(kLengthBytes, std::as_writable_bytes(std::span(header)));
  return parse_safetensors_header(header, kLengthBytes + int64_t(n_header_bytes), file.size_bytes(), name);
}

// A path that cannot be looked at counts as absent; opening it then says why.
bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// An index must not lead out of its directory.
bool is_plain_file_name(std::string_view name) {
  if (name.empty() || name == "." || name.size() > 255) return false;
  if (name.find("..") != std::string_view::npos) return false;
  for (const char c : name) {
    if (c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20) return false;
  }
  return true;
}

ShardOf read_index(const std::filesystem::path& file) {
  const std::string where = file.filename().string();
  const boost::json::value document = parse_json(read_text_file(file, kMaxHeaderBytes), ErrorKind::checkpoint, where);
  const auto* root = document.if_object();
  const auto* member = root == nullptr ? nullptr : root->if_contains("weight_map");
  const auto* weight_map = member == nullptr ? nullptr : member->if_object();
  if (weight_map == nullptr) {
    throw Error(ErrorKind::checkpoint, "'weight_map' is {}, expected an object, in {}",
                member == nullptr ? "absent" : kind_name(*member), where);
  }
  ShardOf shards;
  for (const auto& pair : *weight_map) {
    const std::string_view tensor = pair.key();
    if (!pair.value().is_string()) {
      throw Error(ErrorKind::checkpoint, "'{}' is {}, expected a file name, in {}", tensor, kind_name(pair.value()),
                  where);
    }
    const std::string_view shard = pair.value().get_string();
    if (!is_plain_file_name(shard)) {
      throw Error(ErrorKind::checkpoint, "'{}' is in '{}', expected the plain name of a file beside {}", tensor,
                  shard.substr(0, 255), where);
    }
    shards.emplace(tensor, shard);
  }
  return shards;
}

}  // namespace

SafetensorsFiles SafetensorsFiles::open(const std::filesystem::path& directory) {
  const auto single = directory / "model.safetensors";
  const auto index = directory / "model.safetensors.index.json";
  if (!is_there(index)) {
    if (!is_there(single)) {
      throw Error(ErrorKind::checkpoint, "'{}' holds neither model.safetensors nor model.safetensors.index.json",
                  directory.string());
    }
    return open_file(single);
  }

  const ShardOf shard_of = read_index(index);
  std::map<std::string, int, std::less<>> file_of;  // file name -> index into files_
  for (const auto& [tensor, shard] : shard_of) file_of.emplace(shard, 0);
  std::string missing;
  size_t n_missing = 0;
  for (const auto& [shard, unused] : file_of) {
    if (is_there(directory / shard)) continue;
    if (n_missing++ == 0) missing = shard;
  }
  // An index whose shards are all elsewhere is a leftover of another copy of the model.
  if (n_missing == file_of.size() && is_there(single)) return open_file(single);
  if (n_missing > 0) {
    throw Error(ErrorKind::checkpoint, "{} of {} shards are missing in '{}', first '{}'; download the model again",
                n_missing, file_of.size(), directory.string(), missing);
  }

  SafetensorsFiles result;
  for (auto& [shard, file_index] : file_of) {
    file_index = int(result.files_.size());
    result.files_.emplace_back(directory / shard);
    for (auto& [name, tensor] : read_header(result.files_.back())) {
      const auto found = shard_of.find(name);
      if (found == shard_of.end() || found->second != shard) {
        throw Error(ErrorKind::checkpoint, "'{}' is stored in '{}', but the index {}", name, shard,
                    found == shard_of.end() ? "does not know it" : fmt::format("says '{}'", found->second));
      }
      tensor.file = file_index;
      result.tensors_.emplace(name, tensor);
    }
  }
  for (const auto& [name, shard] : shard_of) {
    if (!result.tensors_.contains(name)) {
      throw Error(ErrorKind::checkpoint, "'{}' is not stored in '{}', where the index says it is", name, shard);
    }
  }
  return result;
}

SafetensorsFiles SafetensorsFiles::open_file(const std::filesystem::path& file) {
  SafetensorsFiles result;
  result.files_.emplace_back(file);
  result.tensors_ = read_header(result.files_.back());
  return result;
}

const StoredTensor* SafetensorsFiles::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

int64_t SafetensorsFiles::n_bytes() const {
  int64_t sum = 0;
  for (const auto& [name, tensor] : tensors_) sum += tensor.n_bytes;
  return sum;
}

void SafetensorsFiles::read(const StoredTensor& tensor, int64_t begin_bytes, std::span<std::byte> out) const {
  PARO_CHECK(begin_bytes >= 0 && begin_bytes <= tensor.n_bytes && int64_t(out.size()) <= tensor.n_bytes - begin_bytes,
             "{} bytes at {} of a tensor of {}", out.size(), begin_bytes, tensor.n_bytes);
  files_[size_t(tensor.file)].read_exact(tensor.offset_bytes + begin_bytes, out);
}

}  // namespace paro
