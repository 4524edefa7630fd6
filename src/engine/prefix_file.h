// A block of a prompt as a file: a header that says what it is, the pages of full attention of all layers, and those of
// sliding attention where they were there. Each of the three has a checksum of its own, so that half a file that was
// written when the machine stopped is known for what it is, and one part is read without the others.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ops/batch.h"

namespace paro {

// 128 bits of a SHA-256: nobody finds two beginnings that have the same, nor tokens that lead from one to the other.
struct PrefixKey {
  uint64_t high = 0, low = 0;

  static PrefixKey of(std::span<const std::byte> bytes);
  static std::optional<PrefixKey> parse(std::string_view hex);
  std::string hex() const;  // 32 digits
  friend auto operator<=>(const PrefixKey&, const PrefixKey&) = default;
};

// A block by what it holds. Before the first one of a prompt stands the fingerprint of what computed it.
struct PrefixBlock {
  PrefixKey before;
  std::array<int32_t, size_t(kPageTokens)> tokens{};

  PrefixKey key() const;
  friend bool operator==(const PrefixBlock&, const PrefixBlock&) = default;
};

struct PrefixFileHeader {
  static constexpr int64_t kBytes = 256;

  PrefixKey fingerprint;
  PrefixBlock block;
  std::array<int64_t, kCacheKinds> n_bytes{};    // of all layers' pages; of sliding attention 0: not there
  std::array<uint64_t, kCacheKinds> checksum{};  // of these

  std::array<std::byte, size_t(kBytes)> to_bytes() const;
  // Nothing where the bytes are no header, not whole, or of another version.
  static std::optional<PrefixFileHeader> parse(std::span<const std::byte> bytes);
  friend bool operator==(const PrefixFileHeader&, const PrefixFileHeader&) = default;
};

// Against damage, not against intent. Goes on from the checksum of what stands before.
uint64_t checksum(uint64_t before, std::span<const std::byte> bytes);

}  // namespace paro
