#include "engine/stored_reader.h"

#include <cstring>

#include "base/check.h"

namespace paro {

StoredReader::StoredReader(const SafetensorsFiles& files) : files_(files) {
  for (const File& file : files.files()) direct_.emplace_back(file);
}

const std::byte* StoredReader::read(const StoredTensor& tensor, int64_t begin_bytes, int64_t n_bytes,
                                    std::span<std::byte> memory) const {
  constexpr int64_t kBlock = DirectFile::kAlignment;
  PARO_CHECK(begin_bytes >= 0 && begin_bytes <= tensor.n_bytes && n_bytes <= tensor.n_bytes - begin_bytes &&
                 room_bytes(n_bytes) <= int64_t(memory.size()),
             "{} bytes at {} of a tensor of {}", n_bytes, begin_bytes, tensor.n_bytes);
  const File& file = files_.files()[size_t(tensor.file)];
  const int64_t offset_bytes = tensor.offset_bytes + begin_bytes;
  const auto out = memory.first(size_t(n_bytes));
  const File::Cached cached = file.read_cached(offset_bytes, out);
  if (cached == File::Cached::all) return out.data();

  int expected = kAllCached;
  if (state_.compare_exchange_strong(expected, kDisk)) state_.notify_all();
  if (cached == File::Cached::not_all) {
    const int64_t skew = offset_bytes % kBlock;
    const auto blocks = memory.first(size_t(round_up(skew + n_bytes, kBlock)));
    const auto got = direct_[size_t(tensor.file)].read(offset_bytes - skew, blocks);
    if (got && *got >= skew + n_bytes) {
      if (skew % int64_t(sizeof(float)) == 0 || (skew % 2 == 0 && tensor.dtype != DType::f32))
        return blocks.data() + skew;
      std::memmove(out.data(), blocks.data() + skew, size_t(n_bytes));
      return out.data();
    }
  }
  file.read_exact(offset_bytes, out);
  return out.data();
}

bool StoredReader::wait_for_disk() const {
  state_.wait(kAllCached);
  return state_.load() == kDisk;
}

void StoredReader::end_wait() {
  state_.store(kEnded);
  state_.notify_all();
}

}  // namespace paro
