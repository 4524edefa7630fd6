// The rows of one step and where their keys and values lie. A step takes any mix of prefill chunks and decode tokens of
// several sequences; all of it is plain integers in buffers that stay where they are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace paro {

// Caches are paged by kind, so that a window never costs a context.
enum class CacheKind : uint8_t { full, sliding };
constexpr int kCacheKinds = 2;

// Tokens of one cache page. Attention is summed in splits that are multiples of it, at absolute positions.
constexpr int kPageTokens = 32;

enum class KvType : uint8_t { f32, f16, q8 };

struct KvSpec {
  int n_kv_heads = 0;
  int head_dim = 0;
  KvType type = KvType::f16;
};

// The pages of one layer; a page holds keys and values of kPageTokens tokens in the backend's layout.
struct KvLayer {
  KvSpec spec;
  CacheKind kind = CacheKind::full;
  std::byte* pages = nullptr;  // [n_pages, page_bytes]
};

// Page of each block of kPageTokens positions of each sequence.
struct BlockTable {
  const int32_t* pages = nullptr;  // [n_sequences, max_blocks]
  int64_t max_blocks = 0;

  int32_t page(int32_t sequence, int32_t position) const {
    return pages[sequence * max_blocks + position / kPageTokens];
  }
};

// Rows of one sequence stand together, at ascending positions.
struct Batch {
  std::span<const int32_t> token_ids;  // [n_rows]
  std::span<const int32_t> positions;  // [n_rows]
  std::span<const int32_t> sequences;  // [n_rows] row of the block tables
  std::array<BlockTable, kCacheKinds> tables;

  int64_t n_rows() const { return int64_t(positions.size()); }
  const BlockTable& table(CacheKind kind) const { return tables[size_t(kind)]; }
};

}  // namespace paro
