#include "engine/stored_reader.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>

#include "base/check.h"

namespace paro {

StoredReader::StoredReader(std::span<const File> files) : files_(files) {
  for (const File& file : files) direct_.emplace_back(file);
}

// Whether it was in memory.
bool StoredReader::read_cached(Reading& reading) const {
  const auto [index, offset_bytes, n_bytes] = reading.stretch;
  PARO_CHECK(room_bytes(n_bytes) <= int64_t(reading.memory.size()), "{} bytes into {}", n_bytes, reading.memory.size());
  const auto out = reading.memory.first(size_t(n_bytes));
  const File::Cached cached = files_[size_t(index)].read_cached(offset_bytes, out);
  if (cached == File::Cached::all) {
    reading.begin = out.data();
    return true;
  }
  int expected = kAllCached;
  if (state_.compare_exchange_strong(expected, kDisk)) state_.notify_all();
  // Where the system does not tell, it may be there: then reading it as usual costs no disk.
  if (cached == File::Cached::unknown) read_exact(reading);
  return cached == File::Cached::unknown;
}

void StoredReader::read_exact(Reading& reading) const {
  const auto [index, offset_bytes, n_bytes] = reading.stretch;
  files_[size_t(index)].read_exact(offset_bytes, reading.memory.first(size_t(n_bytes)));
  reading.begin = reading.memory.data();
}

// Whole blocks around the stretch.
DirectRead StoredReader::direct_read(const Reading& reading) const {
  constexpr int64_t kBlock = DirectFile::kAlignment;
  const auto [index, offset_bytes, n_bytes] = reading.stretch;
  const int64_t skew = offset_bytes % kBlock;
  return {.file = &direct_[size_t(index)],
          .offset_bytes = offset_bytes - skew,
          .out = reading.memory.first(size_t(round_up(skew + n_bytes, kBlock)))};
}

// What could not be read so is read as usual.
void StoredReader::take(Reading& reading, const DirectRead& read) const {
  const int64_t skew = reading.stretch.offset_bytes - read.offset_bytes;
  if (read.n_bytes >= skew + reading.stretch.n_bytes) {
    reading.begin = read.out.data() + skew;
  } else {
    read_exact(reading);
  }
}

const std::byte* StoredReader::read(const StoredTensor& tensor, int64_t begin_bytes, int64_t n_bytes,
                                    std::span<std::byte> memory) const {
  PARO_CHECK(begin_bytes >= 0 && begin_bytes <= tensor.n_bytes && n_bytes <= tensor.n_bytes - begin_bytes,
             "{} bytes at {} of a tensor of {}", n_bytes, begin_bytes, tensor.n_bytes);
  Reading reading{{tensor.file, tensor.offset_bytes + begin_bytes, n_bytes}, memory};
  if (!read_cached(reading)) {
    DirectRead direct = direct_read(reading);
    direct.n_bytes = direct.file->read(direct.offset_bytes, direct.out);
    take(reading, direct);
  }
  const int64_t skew = reading.begin - memory.data();
  if (skew % int64_t(sizeof(float)) == 0 || (skew % 2 == 0 && tensor.dtype != DType::f32)) return reading.begin;
  std::memmove(memory.data(), reading.begin, size_t(n_bytes));
  return memory.data();
}

void StoredReader::begin(std::span<const Stretch> stretches, std::span<std::byte> memory, Flight& flight) const {
  PARO_CHECK(stretches.size() <= Flight::kMostStretches, "{} stretches", stretches.size());
  std::array<size_t, Flight::kMostStretches> places;
  const std::span order = std::span(places).first(stretches.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(stretches[a].file, stretches[a].offset_bytes) <
           std::tie(stretches[b].file, stretches[b].offset_bytes);
  });
  std::copy(stretches.begin(), stretches.end(), flight.stretches_.begin());
  flight.n_stretches_ = stretches.size();
  flight.n_readings_ = 0;
  int64_t end = 0;
  for (const size_t i : order) {
    const Stretch& s = stretches[i];
    const Stretch* const first = flight.n_readings_ > 0 ? &flight.readings_[flight.n_readings_ - 1].stretch : nullptr;
    const bool joins = first != nullptr && s.file == first->file && s.offset_bytes - end <= kGapBytes &&
                       s.offset_bytes % 4 == 0 && first->offset_bytes % 4 == 0;
    if (!joins) {
      flight.readings_[flight.n_readings_++] = {s, {}};
      end = s.offset_bytes + s.n_bytes;
    }
    end = std::max(end, s.offset_bytes + s.n_bytes);
    Stretch& joined = flight.readings_[flight.n_readings_ - 1].stretch;
    joined.n_bytes = end - joined.offset_bytes;
    flight.reading_of_[i] = flight.n_readings_ - 1;
  }

  size_t n_direct = 0;
  for (Reading& reading : std::span(flight.readings_).first(flight.n_readings_)) {
    const auto room = size_t(room_bytes(reading.stretch.n_bytes));
    PARO_CHECK(room <= memory.size(), "{} bytes into {}", room, memory.size());
    reading.memory = memory.first(room);
    memory = memory.subspan(room);
    if (read_cached(reading)) continue;
    flight.of_direct_[n_direct] = &reading;
    flight.direct_[n_direct++] = direct_read(reading);
  }
  flight.reads_.begin(std::span(flight.direct_).first(n_direct));
}

void StoredReader::finish(Flight& flight, std::span<const std::byte*> begins) const {
  const size_t n_direct = flight.reads_.finish();
  for (size_t i = 0; i < n_direct; ++i) take(*flight.of_direct_[i], flight.direct_[i]);
  for (Reading& reading : std::span(flight.readings_).first(flight.n_readings_)) {
    if ((reading.begin - reading.memory.data()) % 4 == 0) continue;
    std::memmove(reading.memory.data(), reading.begin, size_t(reading.stretch.n_bytes));
    reading.begin = reading.memory.data();
  }
  PARO_CHECK(begins.size() == flight.n_stretches_, "{} of {} stretches", begins.size(), flight.n_stretches_);
  for (size_t i = 0; i < begins.size(); ++i) {
    const Reading& reading = flight.readings_[flight.reading_of_[i]];
    begins[i] = reading.begin + (flight.stretches_[i].offset_bytes - reading.stretch.offset_bytes);
  }
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
