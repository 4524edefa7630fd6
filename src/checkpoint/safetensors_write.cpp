// Writing a safetensors file: the header is known before the data, so data streams through in pieces. The file appears
// under its name only when it is whole.
#include <array>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "checkpoint/safetensors.h"

namespace paro {
namespace {

constexpr size_t kDataAlignment = 64;

// A file under a name of its own until commit(); gone if that is never reached.
class PartialFile {
 public:
  explicit PartialFile(std::filesystem::path path) : path_(std::move(path)), partial_(path_) {
    partial_ += ".partial";
    stream_ = std::fopen(partial_.c_str(), "wb");
    if (stream_ == nullptr) throw_errno("create");
  }
  ~PartialFile() {
    if (stream_ != nullptr) std::fclose(stream_);
    std::error_code ignored;
    if (!committed_) std::filesystem::remove(partial_, ignored);
  }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  void write(const void* bytes, size_t n_bytes) {
    if (std::fwrite(bytes, 1, n_bytes, stream_) != n_bytes) throw_errno("write");
  }

  void commit() {
    if (std::fclose(std::exchange(stream_, nullptr)) != 0) throw_errno("write");
    if (std::rename(partial_.c_str(), path_.c_str()) != 0) throw_errno("rename");
    committed_ = true;
  }

 private:
  [[noreturn]] void throw_errno(const char* verb) const {
    throw Error(ErrorKind::io, "cannot {} '{}': {}", verb, partial_.string(), std::strerror(errno));
  }

  const std::filesystem::path path_;
  std::filesystem::path partial_;
  std::FILE* stream_ = nullptr;
  bool committed_ = false;
};

int64_t stored_bytes(const TensorToWrite& tensor) {
  int64_t n_bytes = size_bytes(tensor.dtype);
  for (int i = 0; i < tensor.shape.rank(); ++i) {
    PARO_CHECK(tensor.shape[i] >= 0, "'{}' is {}", tensor.name, to_string(tensor.shape));
    if (__builtin_mul_overflow(n_bytes, tensor.shape[i], &n_bytes)) {
      throw Error(ErrorKind::checkpoint, "'{}' is {}, which exceeds 64 bits", tensor.name, to_string(tensor.shape));
    }
  }
  return n_bytes;
}

std::string json_string(std::string_view text) { return boost::json::serialize(boost::json::string(text)); }

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors) {
  std::string header = R"({"__metadata__":{"format":"pt"})";
  std::set<std::string_view> names;
  int64_t end = 0;
  for (const TensorToWrite& tensor : tensors) {
    PARO_CHECK(names.insert(tensor.name).second, "'{}' twice", tensor.name);
    const int64_t begin = end;
    if (__builtin_add_overflow(end, stored_bytes(tensor), &end)) {
      throw Error(ErrorKind::checkpoint, "the tensors of '{}' exceed 64 bits", path.string());
    }
    header += fmt::format(R"(,{}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", json_string(tensor.name),
                          to_string(tensor.dtype), to_string(tensor.shape), begin, end);
  }
  header += '}';
  header.append((kDataAlignment - (8 + header.size()) % kDataAlignment) % kDataAlignment, ' ');

  PartialFile file(path);
  std::array<unsigned char, 8> length{};
  for (size_t i = 0; i < length.size(); ++i) length[i] = static_cast<unsigned char>(uint64_t(header.size()) >> 8 * i);
  file.write(length.data(), length.size());
  file.write(header.data(), header.size());
  for (const TensorToWrite& tensor : tensors) {
    int64_t n_written = 0;
    tensor.fill([&](std::span<const std::byte> piece) {
      n_written += int64_t(piece.size());
      file.write(piece.data(), piece.size());
    });
    PARO_CHECK(n_written == stored_bytes(tensor), "'{}': {} bytes of {}", tensor.name, n_written, stored_bytes(tensor));
  }
  file.commit();
}

}  // namespace paro
