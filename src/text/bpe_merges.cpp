#include "text/bpe_merges.h"

#include <bit>
#include <string>

#include "base/error.h"
#include "text/utf8.h"

namespace paro::text {

BpeMerges::BpeMerges(const StringPool& merges, const StringTable& vocab) {
  const size_t n_merges = merges.size() / 2;
  if (n_merges == 0) return;
  slots_.resize(n_merges + n_merges / 7 * 3 + 1);
  boundaries_.resize(std::bit_ceil(n_merges * 8 + 64) / 64);
  is_operand_.resize(vocab.size());
  std::string joined;
  for (size_t rank = 0; rank < n_merges; ++rank) {
    const auto id_of = [&](std::string_view token) {
      const uint32_t id = vocab.find(token);
      if (id == StringTable::kNone) {
        throw Error(ErrorKind::tokenizer, "tokenizer.json: model.merges[{}]: token '{}' is not in the vocabulary", rank,
                    token);
      }
      return id;
    };
    const std::string_view left = merges[2 * rank];
    const std::string_view right = merges[2 * rank + 1];
    joined = left;
    joined += right;
    const Slot entry{id_of(left), id_of(right), uint32_t(rank), id_of(joined)};
    is_operand_[entry.left] = true;
    is_operand_[entry.right] = true;
    const size_t bit = boundary_bit(utf8_char(left, utf8_previous(left, left.size())).code, utf8_char(right, 0).code);
    boundaries_[bit / 64] |= uint64_t(1) << (bit % 64);
    size_t slot = slot_of(entry.left, entry.right);
    while (slots_[slot].left != Merge::kNone &&
           (slots_[slot].left != entry.left || slots_[slot].right != entry.right)) {
      slot = slot + 1 == slots_.size() ? 0 : slot + 1;
    }
    slots_[slot] = entry;  // of a pair that is listed twice, the later rank counts
  }
}

int64_t BpeMerges::memory_bytes() const {
  return int64_t(slots_.capacity() * sizeof(Slot) + boundaries_.capacity() * sizeof(uint64_t) +
                 is_operand_.capacity() / 8);
}

}  // namespace paro::text
