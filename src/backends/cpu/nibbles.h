// Stored INT4 codes into lines of 64 bytes: byte 4 r + b is input channel b of row r below, channel b + 4 above.
#pragma once

#include <cstddef>
#include <cstdint>

namespace paro::cpu {

// The eight codes of one AWQ word in the order of output channels.
void awq_word_codes(const std::byte* word, uint8_t* codes);
// The same of two words, stored at once: whoever loads the sixteen codes together need not wait for older stores.
void awq_two_words_codes(const std::byte* words, uint8_t* codes);

// n_rows (at most 32) output channels of one group: `codes` is their first word in the group's first line. Lines go to
// `first` and, from row 16 on, to `second`. Of group_size / 8 lines from `ahead` on, kAheadBytes are fetched into
// cache: what was just read from disk is in none, and no processor guesses such strides.
constexpr int kAheadBytes = 128;
void pack_awq_codes(const std::byte* codes, int64_t stride, int64_t n_rows, int group_size, const std::byte* ahead,
                    std::byte* first, std::byte* second);

// n_rows (at most 16) output channels of one group.
void pack_native_codes(const std::byte* codes, int64_t stride, int64_t n_rows, int group_size, std::byte* tile);

}  // namespace paro::cpu
