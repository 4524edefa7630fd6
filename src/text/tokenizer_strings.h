// Many short strings in one block of bytes, numbered, and found again by their text through a flat hash table: a
// vocabulary of 262144 tokens takes three allocations.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace paro::text {

uint64_t hash_bytes(std::string_view bytes);

// Strings by number, without a way back.
class StringPool {
 public:
  void reserve(size_t n_strings, size_t size_bytes);
  void append(std::string_view string);
  void shrink();
  void release();  // empties the pool and frees its memory

  size_t size() const { return ends_.size(); }
  std::string_view operator[](size_t number) const {
    const uint32_t begin = number == 0 ? 0 : ends_[number - 1];
    return std::string_view(bytes_).substr(begin, ends_[number] - begin);
  }
  int64_t memory_bytes() const;

 private:
  std::string bytes_;
  std::vector<uint32_t> ends_;
};

// Strings by number and numbers by string. Empty strings are holes in the numbering and cannot be found.
class StringTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  StringTable() = default;
  explicit StringTable(StringPool strings);

  size_t size() const { return strings_.size(); }
  std::string_view operator[](size_t number) const { return strings_[number]; }
  uint32_t find(std::string_view string) const;

  // The number of a string that is equal to an earlier one, or kNone when all differ.
  uint32_t first_duplicate() const { return first_duplicate_; }
  int64_t memory_bytes() const;

 private:
  StringPool strings_;
  std::vector<uint32_t> slots_;  // number or kNone; linear probing, at most two thirds full
  uint32_t first_duplicate_ = kNone;
};

}  // namespace paro::text
