#include "engine/prefix_cache.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"

namespace paro {
namespace {

uint64_t mixed(uint64_t hash, uint32_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

}  // namespace

size_t PrefixCache::n_buckets(int64_t n_full_pages) { return std::bit_ceil(size_t(2 * n_full_pages + 1)); }

int64_t PrefixCache::n_bytes(int64_t n_full_pages, int64_t n_sliding_pages) {
  return n_full_pages * int64_t(sizeof(Block) + PageLists::kPageBytes) +
         n_sliding_pages * int64_t(sizeof(SlidingPage) + PageLists::kPageBytes) +
         int64_t(n_buckets(n_full_pages) * sizeof(int32_t));
}

PrefixCache::PrefixCache(int64_t n_full_pages, int64_t n_sliding_pages)
    : blocks_(size_t(n_full_pages)),
      sliding_(size_t(n_sliding_pages)),
      buckets_(n_buckets(n_full_pages), kNone),
      full_lists_(n_full_pages, kLists),
      sliding_lists_(n_sliding_pages, kLists) {}

const int32_t& PrefixCache::bucket(int32_t before, Tokens tokens) const {
  uint64_t hash = mixed(0, uint32_t(before));
  for (const int32_t token : tokens) hash = mixed(hash, uint32_t(token));
  return buckets_[(hash >> 20) & (buckets_.size() - 1)];
}

int32_t& PrefixCache::bucket(int32_t before, Tokens tokens) {
  return const_cast<int32_t&>(std::as_const(*this).bucket(before, tokens));
}

int32_t PrefixCache::find(int32_t before, Tokens tokens) const {
  int32_t block = bucket(before, tokens);
  while (block != kNone) {
    const Block& b = blocks_[size_t(block)];
    if (b.before == before && std::ranges::equal(b.tokens, tokens)) return block;
    block = b.next_of_bucket;
  }
  return kNone;
}

void PrefixCache::insert(int32_t before, Tokens tokens, int32_t full_page) {
  Block& b = blocks_[size_t(full_page)];
  PARO_CHECK(!b.named, "page {} has a name", full_page);
  int32_t& first = bucket(before, tokens);
  b = {.tokens = {}, .before = before, .next_of_bucket = first, .named = true};
  std::ranges::copy(tokens, b.tokens.begin());
  first = full_page;
  if (before != kNone) ++blocks_[size_t(before)].n_behind;
  ++n_blocks_;
}

void PrefixCache::forget(int32_t block) {
  Block& b = blocks_[size_t(block)];
  PARO_CHECK(b.named && b.n_behind == 0, "block {} is not the last of its kind", block);
  int32_t* link = &bucket(b.before, b.tokens);
  while (*link != block) link = &blocks_[size_t(*link)].next_of_bucket;
  *link = b.next_of_bucket;
  if (b.before != kNone) --blocks_[size_t(b.before)].n_behind;
  b.named = false;
  --n_blocks_;
}

void PrefixCache::set_sliding_page(int32_t block, int32_t page) {
  PARO_CHECK(sliding_page(block) == kNone, "block {} has a page", block);
  blocks_[size_t(block)].sliding_page = page;
  sliding_[size_t(page)] = {.block = block};
}

void PrefixCache::keep_window(int32_t block, int n_blocks) {
  for (; n_blocks > 0 && block != kNone; --n_blocks, block = before(block)) {
    const int32_t page = sliding_page(block);
    if (page == kNone) continue;
    sliding_[size_t(page)].kept = true;
    if (!sliding_lists_.contains(page)) continue;
    sliding_lists_.remove(page);
    sliding_lists_.push(kKept, page);
  }
}

bool PrefixCache::is_named(CacheKind kind, int32_t page) const {
  return kind == CacheKind::full ? blocks_[size_t(page)].named : sliding_[size_t(page)].block != kNone;
}

void PrefixCache::rest(CacheKind kind, int32_t page) {
  lists(kind).push(kind == CacheKind::sliding && sliding_[size_t(page)].kept ? kKept : kPassed, page);
}

void PrefixCache::wake(CacheKind kind, int32_t page) { lists(kind).remove(page); }

PrefixCache::GivenUp PrefixCache::give_up(CacheKind kind) {
  if (kind == CacheKind::full) {
    const int32_t block = full_lists_.oldest(kPassed);
    if (block == kNone) return {};
    const GivenUp pages{block, sliding_page(block)};
    full_lists_.remove(block);
    forget(block);
    if (pages.sliding != kNone) {
      sliding_lists_.remove(pages.sliding);
      sliding_[size_t(pages.sliding)] = {};
    }
    return pages;
  }
  int32_t page = sliding_lists_.oldest(kPassed);
  if (page == kNone) page = sliding_lists_.oldest(kKept);
  if (page == kNone) return {};
  sliding_lists_.remove(page);
  blocks_[size_t(sliding_[size_t(page)].block)].sliding_page = kNone;
  sliding_[size_t(page)] = {};
  return {.sliding = page};
}

}  // namespace paro
