// The merges of a byte-pair model: which two neighbouring tokens join, in which order of preference, and into what.
#pragma once

#include <cstdint>
#include <vector>

#include "text/tokenizer_strings.h"

namespace paro::text {

struct Merge {
  static constexpr uint32_t kNone = UINT32_MAX;
  uint32_t rank = kNone;  // lower goes first
  uint32_t result = kNone;
};

class BpeMerges {
 public:
  BpeMerges() = default;
  // `merges` holds left, right, left, right, ... by rank. Throws Error{tokenizer} for one that is not in `vocab`.
  BpeMerges(const StringPool& merges, const StringTable& vocab);

  // rank is kNone when the pair does not join. Inline, because encoding does little else.
  Merge find(uint32_t left, uint32_t right) const {
    if (slots_.empty()) return {};
    for (size_t slot = slot_of(left, right);; slot = slot + 1 == slots_.size() ? 0 : slot + 1) {
      const Slot& entry = slots_[slot];
      if (entry.left == left && entry.right == right) return {entry.rank, entry.result};
      if (entry.left == Merge::kNone) return {};
    }
  }

  // Whether some merge may join what ends with character `left` to what starts with character `right`. May say yes
  // where no merge does, never the reverse: a text can be cut where the answer is no.
  bool may_join(char32_t left, char32_t right) const {
    if (boundaries_.empty()) return false;
    const size_t bit = boundary_bit(left, right);
    return boundaries_[bit / 64] >> (bit % 64) & 1;
  }

  // Whether `id` stands on either side of any merge.
  bool uses(uint32_t id) const { return id < is_operand_.size() && is_operand_[id]; }

  int64_t memory_bytes() const;

 private:
  struct Slot {
    uint32_t left = Merge::kNone;
    uint32_t right = Merge::kNone;
    uint32_t rank = 0;
    uint32_t result = 0;
  };

  size_t slot_of(uint32_t left, uint32_t right) const {
    uint64_t hash = (uint64_t(left) << 32 | right) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93u;
    return size_t((hash >> 32) * uint64_t(slots_.size()) >> 32);
  }
  size_t boundary_bit(char32_t left, char32_t right) const {
    const uint64_t hash = (uint64_t(left) << 32 | right) * 0x9E3779B97F4A7C15u;
    return size_t(hash >> 32) & (boundaries_.size() * 64 - 1);
  }

  std::vector<Slot> slots_;           // linear probing, at most 70 % full
  std::vector<uint64_t> boundaries_;  // a bit for each hash of a pair of characters; a power of two
  std::vector<bool> is_operand_;      // by id
};

}  // namespace paro::text
