// Which pages hold the keys and values of which tokens, so that a prompt that begins like an earlier one need not be
// run again. Blocks of kPageTokens tokens form a tree: a block is named by its tokens and by the block before it, and
// found by the hash of both; tokens and predecessor are compared, so that no two beginnings are taken for each other.
//
// A block is the page of full attention that holds it. Its page of sliding attention may be gone, and comes back when a
// sequence that runs those tokens brings one. Pages that no sequence uses rest here, and are given up in the order of
// their last use: of full attention from the end of a beginning, of sliding attention first those that are in no window
// where a prompt is likely to go on.
//
// Bookkeeping alone: who uses a page, and what lies in it, is the KvCache's.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/page_lists.h"
#include "ops/batch.h"

namespace paro {

class PrefixCache {
 public:
  static constexpr int32_t kNone = -1;  // no page; as the block before: the beginning
  using Tokens = std::span<const int32_t, size_t(kPageTokens)>;

  PrefixCache(int64_t n_full_pages, int64_t n_sliding_pages);
  static int64_t n_bytes(int64_t n_full_pages, int64_t n_sliding_pages);

  // The block with these tokens behind `before`.
  int32_t find(int32_t before, Tokens tokens) const;
  // Names a page of full attention that has no name. There is no such block yet.
  void insert(int32_t before, Tokens tokens, int32_t full_page);
  int32_t before(int32_t block) const { return blocks_[size_t(block)].before; }
  Tokens tokens(int32_t block) const { return blocks_[size_t(block)].tokens; }

  int32_t sliding_page(int32_t block) const { return blocks_[size_t(block)].sliding_page; }
  void set_sliding_page(int32_t block, int32_t page);
  // Of the n_blocks up to `block`, pages of sliding attention are given up after all others.
  void keep_window(int32_t block, int n_blocks);

  bool is_named(CacheKind kind, int32_t page) const;
  // A named page that no sequence uses any more, or that one uses again.
  void rest(CacheKind kind, int32_t page);
  void wake(CacheKind kind, int32_t page);

  // Pages without name or user from here on, kNone if there are none. A block goes with both of its pages.
  struct GivenUp {
    int32_t full = kNone, sliding = kNone;
  };
  GivenUp give_up(CacheKind kind);

  int64_t n_blocks() const { return n_blocks_; }

 private:
  struct Block {
    std::array<int32_t, size_t(kPageTokens)> tokens;
    int32_t before = kNone;
    int32_t sliding_page = kNone;
    int32_t next_of_bucket = kNone;
    int32_t n_behind = 0;  // blocks that follow it
    bool named = false;
  };
  struct SlidingPage {
    int32_t block = kNone;
    bool kept = false;
  };
  enum List : int { kPassed, kKept, kLists };

  static size_t n_buckets(int64_t n_full_pages);
  int32_t& bucket(int32_t before, Tokens tokens);
  const int32_t& bucket(int32_t before, Tokens tokens) const;
  PageLists& lists(CacheKind kind) { return kind == CacheKind::full ? full_lists_ : sliding_lists_; }
  void forget(int32_t block);

  std::vector<Block> blocks_;         // [n_full_pages]
  std::vector<SlidingPage> sliding_;  // [n_sliding_pages]
  std::vector<int32_t> buckets_;      // first block of each
  PageLists full_lists_, sliding_lists_;
  int64_t n_blocks_ = 0;
};

}  // namespace paro
