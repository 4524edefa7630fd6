#include "engine/prefix_file.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.h"

namespace paro {
namespace {

// In the machine's order of bytes: a file of the other order begins with something else.
constexpr uint64_t kMagic = 0x314b4c424f524150u;  // "PAROBLK1"
constexpr uint32_t kVersion = 1;

// As it lies in the file.
struct Stored {
  uint64_t magic = kMagic;
  uint32_t version = kVersion;
  uint32_t n_tokens = uint32_t(kPageTokens);
  uint64_t fingerprint[2] = {}, before[2] = {};
  int32_t tokens[kPageTokens] = {};
  int64_t n_bytes[kCacheKinds] = {};
  uint64_t checksum[kCacheKinds] = {};
  uint64_t reserved[5] = {};
  uint64_t header_checksum = 0;  // of all above
};
static_assert(sizeof(Stored) == size_t(PrefixFileHeader::kBytes) && kPageTokens == 32);

uint64_t header_checksum(const Stored& stored) {
  return checksum(kMagic, std::as_bytes(std::span(&stored, 1)).first(offsetof(Stored, header_checksum)));
}

// One to one for either argument, so that no change of a single word goes unseen.
uint64_t mixed(uint64_t sum, uint64_t word) {
  sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
  return sum ^ (sum >> 32);
}

uint64_t word_at(const std::byte* bytes) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

}  // namespace

uint64_t checksum(uint64_t before, std::span<const std::byte> bytes) {
  constexpr size_t kLanes = 4, kWord = sizeof(uint64_t);  // lanes do not wait for each other's products
  uint64_t lanes[kLanes];
  for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] = mixed(before, kMagic + lane);
  size_t i = 0;
  for (; i + kLanes * kWord <= bytes.size(); i += kLanes * kWord) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = mixed(lanes[lane], word_at(bytes.data() + i + lane * kWord));
    }
  }
  uint64_t sum = mixed(lanes[0], bytes.size());
  for (size_t lane = 1; lane < kLanes; ++lane) sum = mixed(sum, lanes[lane]);
  for (; i < bytes.size(); ++i) sum = mixed(sum, uint64_t(bytes[i]));
  return sum;
}

PrefixKey PrefixKey::of(std::span<const std::byte> bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  const bool made = EVP_Digest(bytes.data(), bytes.size(), digest, nullptr, EVP_sha256(), nullptr) == 1;
  PARO_CHECK(made, "{} bytes", bytes.size());
  PrefixKey key;
  std::memcpy(&key.high, digest, sizeof(key.high));
  std::memcpy(&key.low, digest + sizeof(key.high), sizeof(key.low));
  return key;
}

std::string PrefixKey::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

std::optional<PrefixKey> PrefixKey::parse(std::string_view hex) {
  PrefixKey key;
  if (hex.size() != 32) return {};
  std::from_chars(hex.data(), hex.data() + 16, key.high, 16);
  std::from_chars(hex.data() + 16, hex.data() + 32, key.low, 16);
  if (key.hex() != hex) return {};
  return key;
}

PrefixKey PrefixBlock::key() const {
  std::array<std::byte, sizeof(before) + sizeof(tokens)> bytes;
  std::memcpy(bytes.data(), &before, sizeof(before));
  std::memcpy(bytes.data() + sizeof(before), tokens.data(), sizeof(tokens));
  return PrefixKey::of(bytes);
}

std::array<std::byte, size_t(PrefixFileHeader::kBytes)> PrefixFileHeader::to_bytes() const {
  Stored stored;
  std::memcpy(stored.fingerprint, &fingerprint, sizeof(fingerprint));
  std::memcpy(stored.before, &block.before, sizeof(block.before));
  std::memcpy(stored.tokens, block.tokens.data(), sizeof(stored.tokens));
  std::memcpy(stored.n_bytes, n_bytes.data(), sizeof(stored.n_bytes));
  std::memcpy(stored.checksum, checksum.data(), sizeof(stored.checksum));
  stored.header_checksum = header_checksum(stored);
  std::array<std::byte, size_t(kBytes)> bytes;
  std::memcpy(bytes.data(), &stored, bytes.size());
  return bytes;
}

std::optional<PrefixFileHeader> PrefixFileHeader::parse(std::span<const std::byte> bytes) {
  Stored stored;
  if (bytes.size() < sizeof(stored)) return {};
  std::memcpy(&stored, bytes.data(), sizeof(stored));
  PrefixFileHeader header;
  std::memcpy(&header.fingerprint, stored.fingerprint, sizeof(header.fingerprint));
  std::memcpy(&header.block.before, stored.before, sizeof(header.block.before));
  std::memcpy(header.block.tokens.data(), stored.tokens, sizeof(stored.tokens));
  std::memcpy(header.n_bytes.data(), stored.n_bytes, sizeof(stored.n_bytes));
  std::memcpy(header.checksum.data(), stored.checksum, sizeof(stored.checksum));
  if (*std::ranges::min_element(header.n_bytes) < 0) return {};
  // Magic, version, checksum: all is as it would be written.
  if (!std::ranges::equal(header.to_bytes(), bytes.first(sizeof(stored)))) return {};
  return header;
}

}  // namespace paro
