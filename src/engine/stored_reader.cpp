#include "engine/stored_reader.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "base/check.h"
#include "base/direct_reads.h"

namespace paro {

StoredReader::StoredReader(std::span<const File> files) : files_(files) {
  for (const File& file : files) direct_.emplace_back(file);
}

void StoredReader::read(std::span<Reading> readings) const {
  constexpr int64_t kBlock = DirectFile::kAlignment;
  std::array<DirectRead, 3> direct;
  std::array<Reading*, 3> of_direct{};
  size_t n_direct = 0;
  PARO_CHECK(readings.size() <= direct.size());
  for (Reading& reading : readings) {
    const auto [index, offset_bytes, n_bytes] = reading.stretch;
    PARO_CHECK(room_bytes(n_bytes) <= int64_t(reading.memory.size()), "{} bytes into {}", n_bytes,
               reading.memory.size());
    const auto out = reading.memory.first(size_t(n_bytes));
    const File::Cached cached = files_[size_t(index)].read_cached(offset_bytes, out);
    if (cached == File::Cached::all) {
      reading.begin = out.data();
      continue;
    }
    int expected = kAllCached;
    if (state_.compare_exchange_strong(expected, kDisk)) state_.notify_all();
    if (cached == File::Cached::unknown) continue;
    const int64_t skew = offset_bytes % kBlock;
    of_direct[n_direct] = &reading;
    direct[n_direct++] = {.file = &direct_[size_t(index)],
                          .offset_bytes = offset_bytes - skew,
                          .out = reading.memory.first(size_t(round_up(skew + n_bytes, kBlock)))};
  }
  read_at_once(std::span(direct).first(n_direct));
  for (size_t i = 0; i < n_direct; ++i) {
    const Stretch& stretch = of_direct[i]->stretch;
    const int64_t skew = stretch.offset_bytes - direct[i].offset_bytes;
    if (direct[i].n_bytes >= skew + stretch.n_bytes) of_direct[i]->begin = direct[i].out.data() + skew;
  }
  for (Reading& reading : readings) {
    if (reading.begin != nullptr) continue;
    const auto [index, offset_bytes, n_bytes] = reading.stretch;
    files_[size_t(index)].read_exact(offset_bytes, reading.memory.first(size_t(n_bytes)));
    reading.begin = reading.memory.data();
  }
}

const std::byte* StoredReader::read(const StoredTensor& tensor, int64_t begin_bytes, int64_t n_bytes,
                                    std::span<std::byte> memory) const {
  PARO_CHECK(begin_bytes >= 0 && begin_bytes <= tensor.n_bytes && n_bytes <= tensor.n_bytes - begin_bytes,
             "{} bytes at {} of a tensor of {}", n_bytes, begin_bytes, tensor.n_bytes);
  Reading reading{{tensor.file, tensor.offset_bytes + begin_bytes, n_bytes}, memory};
  read({&reading, 1});
  const int64_t skew = reading.begin - memory.data();
  if (skew % int64_t(sizeof(float)) == 0 || (skew % 2 == 0 && tensor.dtype != DType::f32)) return reading.begin;
  std::memmove(memory.data(), reading.begin, size_t(n_bytes));
  return memory.data();
}

std::array<const std::byte*, 3> StoredReader::read(const Stretches& stretches, std::span<std::byte> memory) const {
  std::array<size_t, 3> order{0, 1, 2};
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(stretches[a].file, stretches[a].offset_bytes) <
           std::tie(stretches[b].file, stretches[b].offset_bytes);
  });
  std::array<Reading, 3> readings;
  std::array<size_t, 3> reading_of{};  // each stretch
  size_t n = 0;
  int64_t end = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const Stretch& s = stretches[order[i]];
    const Stretch* const first = n > 0 ? &readings[n - 1].stretch : nullptr;
    const bool joins = first != nullptr && s.file == first->file && s.offset_bytes - end <= kGapBytes &&
                       s.offset_bytes % 4 == 0 && first->offset_bytes % 4 == 0;
    if (!joins) {
      readings[n++] = {s, {}};
      end = s.offset_bytes + s.n_bytes;
    }
    end = std::max(end, s.offset_bytes + s.n_bytes);
    readings[n - 1].stretch.n_bytes = end - readings[n - 1].stretch.offset_bytes;
    reading_of[order[i]] = n - 1;
  }
  for (Reading& reading : std::span(readings).first(n)) {
    const auto room = size_t(room_bytes(reading.stretch.n_bytes));
    PARO_CHECK(room <= memory.size(), "{} bytes into {}", room, memory.size());
    reading.memory = memory.first(room);
    memory = memory.subspan(room);
  }
  read(std::span(readings).first(n));
  for (Reading& reading : std::span(readings).first(n)) {
    if ((reading.begin - reading.memory.data()) % 4 == 0) continue;
    std::memmove(reading.memory.data(), reading.begin, size_t(reading.stretch.n_bytes));
    reading.begin = reading.memory.data();
  }
  std::array<const std::byte*, 3> begins{};
  for (size_t i = 0; i < begins.size(); ++i) {
    const Reading& reading = readings[reading_of[i]];
    begins[i] = reading.begin + (stretches[i].offset_bytes - reading.stretch.offset_bytes);
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
