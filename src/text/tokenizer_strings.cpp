#include "text/tokenizer_strings.h"

#include <cstring>
#include <limits>
#include <utility>

#include "base/error.h"

namespace paro::text {

namespace {

uint64_t mix(uint64_t state, uint64_t word) {
  state = (state ^ word) * 0x9E3779B97F4A7C15u;
  return state ^ state >> 29;
}

// Maps a hash to [0, n) without a division.
size_t slot_of(uint64_t hash, size_t n) { return size_t((hash >> 32) * uint64_t(n) >> 32); }

}  // namespace

uint64_t hash_bytes(std::string_view bytes) {
  uint64_t state = bytes.size() * 0xBF58476D1CE4E5B9u;
  size_t position = 0;
  for (; position + 8 <= bytes.size(); position += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + position, 8);
    state = mix(state, word);
  }
  uint64_t rest = 0;
  for (size_t shift = 0; position < bytes.size(); ++position, shift += 8) {
    rest |= uint64_t(uint8_t(bytes[position])) << shift;
  }
  state = mix(state, rest);
  return mix(state, state >> 32);
}

void StringPool::reserve(size_t n_strings, size_t size_bytes) {
  ends_.reserve(n_strings);
  bytes_.reserve(size_bytes);
}

void StringPool::append(std::string_view string) {
  if (string.size() > std::numeric_limits<uint32_t>::max() - bytes_.size()) {
    throw Error(ErrorKind::tokenizer, "the strings of the tokenizer exceed 4 GiB");
  }
  bytes_ += string;
  ends_.push_back(uint32_t(bytes_.size()));
}

void StringPool::shrink() {
  bytes_.shrink_to_fit();
  ends_.shrink_to_fit();
}

void StringPool::release() {
  std::string().swap(bytes_);
  std::vector<uint32_t>().swap(ends_);
}

int64_t StringPool::memory_bytes() const {
  return int64_t(bytes_.capacity()) + int64_t(ends_.capacity() * sizeof(uint32_t));
}

StringTable::StringTable(StringPool strings) : strings_(std::move(strings)) {
  slots_.assign(strings_.size() + strings_.size() / 2 + 1, kNone);
  for (size_t number = 0; number < strings_.size(); ++number) {
    const std::string_view string = strings_[number];
    if (string.empty()) continue;
    size_t slot = slot_of(hash_bytes(string), slots_.size());
    while (slots_[slot] != kNone && strings_[slots_[slot]] != string) slot = slot + 1 == slots_.size() ? 0 : slot + 1;
    if (slots_[slot] == kNone) {
      slots_[slot] = uint32_t(number);
    } else if (first_duplicate_ == kNone) {
      first_duplicate_ = uint32_t(number);
    }
  }
}

uint32_t StringTable::find(std::string_view string) const {
  if (slots_.empty() || string.empty()) return kNone;
  size_t slot = slot_of(hash_bytes(string), slots_.size());
  while (slots_[slot] != kNone) {
    if (strings_[slots_[slot]] == string) return slots_[slot];
    slot = slot + 1 == slots_.size() ? 0 : slot + 1;
  }
  return kNone;
}

int64_t StringTable::memory_bytes() const {
  return strings_.memory_bytes() + int64_t(slots_.capacity() * sizeof(uint32_t));
}

}  // namespace paro::text
