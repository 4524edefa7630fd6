#include "engine/stored_reader.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "base/check.h"

namespace paro {

StoredReader::StoredReader(std::span<const File> files) : files_(files) {
  for (const File& file : files) direct_.emplace_back(file);
}

const std::byte* StoredReader::read(const Stretch& stretch, std::span<std::byte> memory) const {
  constexpr int64_t kBlock = DirectFile::kAlignment;
  const auto [index, offset_bytes, n_bytes] = stretch;
  PARO_CHECK(room_bytes(n_bytes) <= int64_t(memory.size()), "{} bytes into {}", n_bytes, memory.size());
  const File& file = files_[size_t(index)];
  const auto out = memory.first(size_t(n_bytes));
  const File::Cached cached = file.read_cached(offset_bytes, out);
  if (cached == File::Cached::all) return out.data();

  int expected = kAllCached;
  if (state_.compare_exchange_strong(expected, kDisk)) state_.notify_all();
  if (cached == File::Cached::not_all) {
    const int64_t skew = offset_bytes % kBlock;
    const auto blocks = memory.first(size_t(round_up(skew + n_bytes, kBlock)));
    const auto got = direct_[size_t(index)].read(offset_bytes - skew, blocks);
    if (got && *got >= skew + n_bytes) return blocks.data() + skew;
  }
  file.read_exact(offset_bytes, out);
  return out.data();
}

const std::byte* StoredReader::read(const StoredTensor& tensor, int64_t begin_bytes, int64_t n_bytes,
                                    std::span<std::byte> memory) const {
  PARO_CHECK(begin_bytes >= 0 && begin_bytes <= tensor.n_bytes && n_bytes <= tensor.n_bytes - begin_bytes,
             "{} bytes at {} of a tensor of {}", n_bytes, begin_bytes, tensor.n_bytes);
  const std::byte* begin = read(Stretch{tensor.file, tensor.offset_bytes + begin_bytes, n_bytes}, memory);
  const int64_t skew = begin - memory.data();
  if (skew % int64_t(sizeof(float)) == 0 || (skew % 2 == 0 && tensor.dtype != DType::f32)) return begin;
  std::memmove(memory.data(), begin, size_t(n_bytes));
  return memory.data();
}

std::array<const std::byte*, 3> StoredReader::read(const Stretches& stretches, std::span<std::byte> memory) const {
  std::array<size_t, 3> order{0, 1, 2};
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(stretches[a].file, stretches[a].offset_bytes) <
           std::tie(stretches[b].file, stretches[b].offset_bytes);
  });
  std::array<const std::byte*, 3> begins{};
  for (size_t i = 0; i < order.size();) {
    const Stretch& first = stretches[order[i]];
    int64_t end = first.offset_bytes + first.n_bytes;
    size_t next = i + 1;
    for (; next < order.size(); ++next) {
      const Stretch& other = stretches[order[next]];
      const bool aligned = first.offset_bytes % 4 == 0 && other.offset_bytes % 4 == 0;
      if (other.file != first.file || other.offset_bytes - end > kGapBytes || !aligned) break;
      end = std::max(end, other.offset_bytes + other.n_bytes);
    }
    const int64_t n_bytes = end - first.offset_bytes;
    const std::byte* begin = read(Stretch{first.file, first.offset_bytes, n_bytes}, memory);
    if ((begin - memory.data()) % 4 != 0) {
      std::memmove(memory.data(), begin, size_t(n_bytes));
      begin = memory.data();
    }
    for (; i < next; ++i) begins[order[i]] = begin + (stretches[order[i]].offset_bytes - first.offset_bytes);
    memory = memory.subspan(size_t(room_bytes(n_bytes)));
  }
  return begins;
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
