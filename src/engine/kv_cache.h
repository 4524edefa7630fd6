// Pages of keys and values for the sequences of a batch. Each kind of cache has its own pool of pages and its own block
// tables; a page index means the same page in every layer of its kind.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "models/model.h"
#include "ops/backend.h"

namespace paro {

// How many pages of each kind sequences of a model need.
struct KvLayout {
  int max_context = 0;
  int max_batch = 0;
  int64_t max_blocks = 0;                                 // of one sequence, in either table
  std::array<int64_t, kCacheKinds> pages_per_sequence{};  // at most, at any moment
  std::array<int64_t, kCacheKinds> n_pages{};             // of the pool
  std::vector<int64_t> layer_bytes;                       // of each kv layer
  int64_t n_bytes = 0;                                    // of all layers

  KvLayout(const Backend& backend, const ModelSpec& spec, KvType type, int max_context, int max_batch,
           int prefill_chunk);
};

class KvCache {
 public:
  KvCache(const Backend& backend, const ModelSpec& spec, KvType type, const KvLayout& layout,
          std::span<std::byte> memory);

  std::span<const KvLayer> layers() const { return layers_; }
  std::array<BlockTable, kCacheKinds> tables() const;

  // Whether the pools hold the worst case of one more sequence of n_tokens, beside what is reserved.
  bool can_reserve(int n_tokens) const;

  // Takes a slot for a sequence of at most n_tokens; its row in the block tables.
  int open(int n_tokens);
  // Gives pages to positions [begin, end) and takes back those that no later position can see.
  void extend(int slot, int begin, int end);
  // Forgets positions from n_tokens on. Pages that a window has passed do not come back.
  void truncate(int slot, int n_tokens);
  void close(int slot);

 private:
  struct Pool {
    std::vector<int32_t> free;   // a stack
    std::vector<int32_t> table;  // [max_batch, max_blocks], -1: none
    int64_t n_reserved = 0;
  };
  struct Slot {
    bool open = false;
    int n_reserved_tokens = 0;
    std::array<int, kCacheKinds> first_block{};  // of the pages held
    std::array<int, kCacheKinds> end_block{};
  };

  int64_t worst_pages(CacheKind kind, int n_tokens) const;
  void free_blocks(CacheKind kind, int slot, int begin, int end);

  KvLayout layout_;
  int sliding_window_;
  std::array<bool, kCacheKinds> used_{};  // whether any layer is of the kind
  std::array<Pool, kCacheKinds> pools_;
  std::vector<Slot> slots_;
  std::vector<KvLayer> layers_;
};

}  // namespace paro
