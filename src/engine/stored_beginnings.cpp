// The disk's part of the KvCache: what sequences leave there, and how a sequence that begins gets back what lies there.
//
// Blocks are read in their order, in the pages that the sequence may take anyway, and named as if they had just been
// run; until the last is there the sequence keeps them from being given up. Pages of sliding attention are read for the
// window behind which it goes on, and for no other.
#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "engine/kv_cache.h"
#include "engine/memory_report.h"

namespace paro {

void KvCache::keep_on_disk(PrefixDirectory directory, int64_t limit_bytes) {
  PARO_CHECK(prefixes_ && !disk_);
  std::vector<PrefixDisk::Layer> layers;
  for (size_t i = 0; i < layers_.size(); ++i) layers.push_back({layers_[i].kind, layers_[i].pages, page_bytes_[i]});
  keys_.assign(size_t(layout_.n_pages[size_t(CacheKind::full)]), {});
  disk_ = std::make_unique<PrefixDisk>(std::move(directory), limit_bytes, std::move(layers));
  log::info("beginnings of prompts on disk: {} of at most {}", format_bytes(disk_->n_bytes()),
            format_bytes(limit_bytes));
}

int64_t KvCache::disk_memory_bytes(const KvLayout& layout, int64_t limit_bytes) {
  return PrefixDisk::memory_bytes(limit_bytes, layout.block_bytes[size_t(CacheKind::full)]) +
         layout.n_pages[size_t(CacheKind::full)] * int64_t(sizeof(PrefixKey));
}

PrefixBlock KvCache::stored_block(int32_t before, PrefixCache::Tokens tokens) const {
  PrefixBlock block{.before = before < 0 ? disk_->fingerprint() : keys_[size_t(before)], .tokens = {}};
  std::ranges::copy(tokens, block.tokens.begin());
  return block;
}

// The next block of the sequence, which has just been named.
void KvCache::offer_to_disk(const Slot& s, PrefixCache::Tokens tokens, int32_t block) {
  const PrefixBlock stored = stored_block(prefixes_->before(block), tokens);
  const PrefixKey key = keys_[size_t(block)] = stored.key();
  disk_->offer(stored, key, time_of_use(s, s.n_named), block, prefixes_->sliding_page(block));
}

// Whether all is there that is to be found.
bool KvCache::read_beginning(Slot& s, std::span<const int32_t> prompt) {
  if (s.reading == Reading::ended) return true;
  if (s.reading == Reading::not_begun) {
    PARO_CHECK(s.n_named == 0, "{} blocks are there", s.n_named);
    s.reading = Reading::blocks;
  }
  if (s.reading == Reading::blocks) {
    if (!read_blocks(s, prompt)) return false;
    s.n_end = s.n_held;
    s.end = s.held;
    s.reading = Reading::window;
  }
  if (used_[size_t(CacheKind::sliding)] && !read_window(s)) return false;
  s.reading = Reading::ended;
  return true;
}

// In this step.
bool KvCache::may_read_page() {
  if (n_readable_ < kPageTokens) return false;
  n_readable_ -= kPageTokens;
  return true;
}

bool KvCache::read_blocks(Slot& s, std::span<const int32_t> prompt) {
  while ((s.n_held + 1) * kPageTokens < int(prompt.size())) {
    const auto tokens = prompt.subspan(size_t(s.n_held) * kPageTokens).first<size_t(kPageTokens)>();
    int32_t next = prefixes_->find(s.held, tokens);
    if (next >= 0) {
      use(CacheKind::full, next);
    } else {
      if (!disk_->has(stored_block(s.held, tokens).key(), CacheKind::full)) break;
      if (!may_read_page()) return false;
      next = read_block(s, tokens);
      if (next < 0) break;
    }
    s.held = next;
    ++s.n_held;
  }
  return true;
}

// -1: it is not there.
int32_t KvCache::read_block(const Slot& s, PrefixCache::Tokens tokens) {
  const PrefixBlock stored = stored_block(s.held, tokens);
  const PrefixKey key = stored.key();
  const int32_t page = take_page(CacheKind::full);
  if (!disk_->read(stored, key, CacheKind::full, time_of_use(s, s.n_held), page)) {
    release(CacheKind::full, page);
    return -1;
  }
  prefixes_->insert(s.held, tokens, page);
  keys_[size_t(page)] = key;
  n_read_tokens_ += kPageTokens;
  return page;
}

// The window behind the last of the blocks held; where one of its pages is not to be had, that before this block.
bool KvCache::read_window(Slot& s) {
  while (int(s.held_sliding.size()) < window_blocks(s.n_end)) {
    const int n_there = int(s.held_sliding.size());
    int32_t block = s.end;
    for (int i = 0; i < n_there; ++i) block = prefixes_->before(block);
    int32_t page = prefixes_->sliding_page(block);
    if (page >= 0) {
      use(CacheKind::sliding, page);
    } else if (disk_->has(keys_[size_t(block)], CacheKind::sliding)) {
      if (!may_read_page()) return false;
      page = read_sliding(s, block, s.n_end - n_there - 1);
    }
    if (page >= 0) {
      s.held_sliding.push_back(page);
      continue;
    }
    let_go_sliding(s);
    s.n_end -= n_there + 1;
    s.end = prefixes_->before(block);
  }
  return true;
}

// -1: it is not there.
int32_t KvCache::read_sliding(const Slot& s, int32_t block, int index) {
  const PrefixBlock stored = stored_block(prefixes_->before(block), prefixes_->tokens(block));
  const int32_t page = take_page(CacheKind::sliding);
  if (!disk_->read(stored, keys_[size_t(block)], CacheKind::sliding, time_of_use(s, index), page)) {
    release(CacheKind::sliding, page);
    return -1;
  }
  prefixes_->set_sliding_page(block, page);
  return page;
}

void KvCache::let_go_sliding(Slot& s) {
  for (const int32_t page : s.held_sliding) release(CacheKind::sliding, page);
  s.held_sliding.clear();
}

void KvCache::let_go(Slot& s) {
  let_go_sliding(s);
  for (; s.n_held > 0; --s.n_held) {
    const int32_t block = s.held;
    s.held = prefixes_->before(block);
    release(CacheKind::full, block);
  }
}

}  // namespace paro
