// Pages of keys and values for the sequences of a batch. Each kind of cache has its own pool of pages and its own block
// tables; a page index means the same page in every layer of its kind. Sequences that begin alike share pages, and what
// is left of those that have ended stays for others until the pages are needed.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/prefix_cache.h"
#include "engine/prefix_disk.h"
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
  int64_t prefix_bytes = 0;                               // of those, what sequences never need
  std::array<int64_t, kCacheKinds> block_bytes{};         // of one page in all layers of the kind
  bool reuses_prefixes = false;

  // prefix_bytes: of pages beside those that sequences need, for beginnings that are kept; 0: none are kept at all,
  // nothing: what sequences leave free holds them.
  KvLayout(const Backend& backend, const ModelSpec& spec, KvType type, int max_context, int max_batch,
           int prefill_chunk, std::optional<int64_t> prefix_bytes = 0);

  int64_t bookkeeping_bytes() const;
};

class KvCache {
 public:
  KvCache(const Backend& backend, const ModelSpec& spec, KvType type, const KvLayout& layout,
          std::span<std::byte> memory);

  std::span<const KvLayer> layers() const { return layers_; }
  std::array<BlockTable, kCacheKinds> tables() const;

  // Whether the pools hold the worst case of one more sequence of n_tokens, beside what is reserved.
  bool can_reserve(int n_tokens) const;

  // Takes a slot for a sequence of at most n_tokens; its row in the block tables. Only one that shares finds pages of
  // others and leaves its own.
  enum class Sharing { none, both };
  int open(int n_tokens, Sharing sharing = Sharing::none);
  // Gives the sequence the pages of others that hold more of its tokens than the n_cached it has, and of these at most
  // all but the last. Returns how many positions it has now.
  int reuse(int slot, std::span<const int32_t> prompt, int n_cached);

  // From here on blocks are kept on disk too, and a sequence that begins finds those.
  void keep_on_disk(PrefixDirectory directory, int64_t limit_bytes);
  static int64_t disk_memory_bytes(const KvLayout& layout, int64_t limit_bytes);
  // How many tokens may be read until it is said again: others wait meanwhile.
  void allow_reading(int n_tokens) { n_readable_ = std::max(n_tokens, kPageTokens); }
  // Whether reuse() has more to read of what the sequence begins with, and it should not be run until then.
  bool is_reading(int slot) const {
    const Reading reading = slots_[size_t(slot)].reading;
    return reading == Reading::blocks || reading == Reading::window;
  }
  const PrefixDisk* disk() const { return disk_.get(); }  // null: none
  int64_t n_read_tokens() const { return n_read_tokens_; }

  // Tells what the next block of the sequence holds, once its positions are written. It never changes again.
  void name_block(int slot, PrefixCache::Tokens tokens);
  // A prompt is likely to go on where the named blocks of the sequence end now.
  void keep_window(int slot);
  // Gives pages to positions [begin, end) and takes back those that no later position can see.
  void extend(int slot, int begin, int end);
  // Forgets positions from n_tokens on, none of them in a named block. Pages that a window has passed do not come back.
  void truncate(int slot, int n_tokens);
  void close(int slot);

  bool reuses_prefixes() const { return prefixes_.has_value(); }
  int64_t n_blocks() const { return prefixes_ ? layout_.n_pages[size_t(CacheKind::full)] : 0; }
  int64_t n_named_blocks() const { return prefixes_ ? prefixes_->n_blocks() : 0; }

 private:
  struct Pool {
    std::vector<int32_t> free;     // a stack
    std::vector<int32_t> n_users;  // [n_pages] sequences whose table has the page
    std::vector<int32_t> table;    // [max_batch, max_blocks], -1: none
    int64_t n_reserved = 0;
  };
  enum class Reading : uint8_t { not_begun, blocks, window, ended };
  struct Slot {
    bool open = false;
    bool shares = false;
    int n_reserved_tokens = 0;
    std::array<int, kCacheKinds> first_block{};  // of the pages held
    std::array<int, kCacheKinds> end_block{};
    int n_named = 0;                          // blocks from the first
    int32_t last_named = PrefixCache::kNone;  // block
    int fork = 0;  // blocks after which the sequence leaves one that is known, and could not go on there; 0: none
    PrefixDisk::Time opened{};

    // While the beginning is read from disk: what is there of it, used by this slot so that nobody gives it up.
    Reading reading = Reading::not_begun;
    int n_held = 0;                     // blocks from the first
    int32_t held = PrefixCache::kNone;  // the last of them
    int n_end = 0;                      // of these, those behind which the sequence may go on
    int32_t end = PrefixCache::kNone;
    std::vector<int32_t> held_sliding;  // pages of the window there, from the last on
  };

  int64_t worst_pages(CacheKind kind, int n_tokens) const;
  int32_t& page(CacheKind kind, int slot, int block) {
    return pools_[size_t(kind)].table[size_t(slot * layout_.max_blocks + block)];
  }
  // The first block that a position can see.
  int first_seen(int position) const { return std::max(0, position - sliding_window_ + 1) / kPageTokens; }
  // Blocks of the window that a sequence of n_blocks goes on with.
  int window_blocks(int n_blocks) const { return n_blocks - first_seen(n_blocks * kPageTokens); }
  int32_t take_page(CacheKind kind);
  void use(CacheKind kind, int32_t page);
  void release(CacheKind kind, int32_t page);
  void free_blocks(CacheKind kind, int slot, int begin, int end);
  void pass_window(int slot, int position);
  int reuse_pages(int slot, std::span<const int32_t> prompt, int n_cached);
  void take_over(int slot, int32_t block, int n_blocks);

  // stored_beginnings.cpp
  PrefixBlock stored_block(int32_t before, PrefixCache::Tokens tokens) const;
  PrefixDisk::Time time_of_use(const Slot& s, int block) const { return PrefixIndex::time_of_use(s.opened, block); }
  void offer_to_disk(const Slot& s, PrefixCache::Tokens tokens, int32_t block);
  bool read_beginning(Slot& s, std::span<const int32_t> prompt);
  bool read_blocks(Slot& s, std::span<const int32_t> prompt);
  int32_t read_block(const Slot& s, PrefixCache::Tokens tokens);
  bool read_window(Slot& s);
  int32_t read_sliding(const Slot& s, int32_t block, int index);  // index: its place in the prompt
  bool may_read_page();
  void let_go_sliding(Slot& s);
  void let_go(Slot& s);

  KvLayout layout_;
  int sliding_window_;
  std::array<bool, kCacheKinds> used_{};  // whether any layer is of the kind
  std::array<Pool, kCacheKinds> pools_;
  std::vector<Slot> slots_;
  std::vector<KvLayer> layers_;
  std::vector<int64_t> page_bytes_;      // of each layer
  std::optional<PrefixCache> prefixes_;  // none: nothing is shared

  std::unique_ptr<PrefixDisk> disk_;
  std::vector<PrefixKey> keys_;  // [n_pages] of named blocks, where there is a disk
  int n_readable_ = 0;           // tokens, in this step
  int64_t n_read_tokens_ = 0;
};

}  // namespace paro
