#include "engine/kv_cache.h"

#include <algorithm>
#include <utility>

#include "base/align.h"
#include "base/check.h"
#include "tensor/buffer.h"

namespace paro {
namespace {

int64_t blocks_of(int64_t n_tokens) { return ceil_div(n_tokens, kPageTokens); }

}  // namespace

KvLayout::KvLayout(const Backend& backend, const ModelSpec& spec, KvType type, int context, int batch,
                   int prefill_chunk, std::optional<int64_t> more_bytes)
    : max_context(context), max_batch(batch), max_blocks(blocks_of(context)) {
  const auto full = size_t(CacheKind::full), sliding = size_t(CacheKind::sliding);
  pages_per_sequence[full] = max_blocks;
  // A window that begins and a chunk that ends inside a page each touch one page more.
  pages_per_sequence[sliding] = std::min(max_blocks, blocks_of(int64_t(spec.sliding_window) + prefill_chunk) + 1);
  std::vector<int64_t> page_bytes;
  for (size_t kind = 0; kind < kCacheKinds; ++kind) n_pages[kind] = pages_per_sequence[kind] * max_batch;
  int64_t needed_bytes = 0;
  for (const KvLayerSpec& layer : spec.kv_layers) {
    page_bytes.push_back(backend.page_bytes({layer.n_kv_heads, layer.head_dim, type}));
    block_bytes[size_t(layer.kind)] += page_bytes.back();
    needed_bytes += round_up(n_pages[size_t(layer.kind)] * page_bytes.back(), Buffer::kAlignment);
  }
  // Blocks are named by their page of full attention.
  const bool has_full = std::any_of(spec.kv_layers.begin(), spec.kv_layers.end(),
                                    [](const KvLayerSpec& layer) { return layer.kind == CacheKind::full; });
  reuses_prefixes = has_full && more_bytes != 0;
  if (reuses_prefixes && more_bytes) {
    // As if there were more sequences, in parts of one too.
    const double more = double(*more_bytes) / double(needed_bytes);
    for (int64_t& n : n_pages) n += int64_t(double(n) * more);
  }
  for (size_t i = 0; i < page_bytes.size(); ++i) {
    layer_bytes.push_back(round_up(n_pages[size_t(spec.kv_layers[i].kind)] * page_bytes[i], Buffer::kAlignment));
    n_bytes += layer_bytes.back();
  }
  prefix_bytes = n_bytes - needed_bytes;
}

int64_t KvLayout::bookkeeping_bytes() const {
  const int64_t of_pages = int64_t(max_batch) * max_blocks + n_pages[0] * 2 + n_pages[1] * 2;
  return of_pages * int64_t(sizeof(int32_t)) + (reuses_prefixes ? PrefixCache::n_bytes(n_pages[0], n_pages[1]) : 0);
}

KvCache::KvCache(const Backend& backend, const ModelSpec& spec, KvType type, const KvLayout& layout,
                 std::span<std::byte> memory)
    : layout_(layout), sliding_window_(spec.sliding_window), slots_(size_t(layout.max_batch)) {
  PARO_CHECK(int64_t(memory.size()) >= layout.n_bytes);
  int64_t offset = 0;
  for (size_t i = 0; i < spec.kv_layers.size(); ++i) {
    const KvLayerSpec& layer = spec.kv_layers[i];
    const KvSpec kv{layer.n_kv_heads, layer.head_dim, type};
    PARO_CHECK(backend.page_bytes(kv) * layout.n_pages[size_t(layer.kind)] <= layout.layer_bytes[i]);
    layers_.push_back({kv, layer.kind, memory.data() + offset});
    page_bytes_.push_back(backend.page_bytes(kv));
    used_[size_t(layer.kind)] = true;
    offset += layout.layer_bytes[i];
  }
  for (size_t kind = 0; kind < kCacheKinds; ++kind) {
    Pool& pool = pools_[kind];
    pool.table.assign(size_t(layout.max_batch * layout.max_blocks), -1);
    pool.free.reserve(size_t(layout.n_pages[kind]));
    for (int64_t page = layout.n_pages[kind] - 1; page >= 0; --page) pool.free.push_back(int32_t(page));
    pool.n_users.assign(size_t(layout.n_pages[kind]), 0);
  }
  if (layout.reuses_prefixes) {
    prefixes_.emplace(layout.n_pages[size_t(CacheKind::full)], layout.n_pages[size_t(CacheKind::sliding)]);
  }
}

std::array<BlockTable, kCacheKinds> KvCache::tables() const {
  std::array<BlockTable, kCacheKinds> tables;
  for (size_t kind = 0; kind < kCacheKinds; ++kind) tables[kind] = {pools_[kind].table.data(), layout_.max_blocks};
  return tables;
}

int64_t KvCache::worst_pages(CacheKind kind, int n_tokens) const {
  if (!used_[size_t(kind)]) return 0;
  return std::min(blocks_of(n_tokens), layout_.pages_per_sequence[size_t(kind)]);
}

bool KvCache::can_reserve(int n_tokens) const {
  const bool slot = std::any_of(slots_.begin(), slots_.end(), [](const Slot& s) { return !s.open; });
  for (size_t kind = 0; kind < kCacheKinds; ++kind) {
    if (pools_[kind].n_reserved + worst_pages(CacheKind(kind), n_tokens) > layout_.n_pages[kind]) return false;
  }
  return slot;
}

int KvCache::open(int n_tokens, Sharing sharing) {
  PARO_CHECK(n_tokens <= layout_.max_context && can_reserve(n_tokens));
  const auto free = std::find_if(slots_.begin(), slots_.end(), [](const Slot& s) { return !s.open; });
  *free = {};
  free->open = true;
  free->shares = prefixes_ && sharing == Sharing::both;
  free->n_reserved_tokens = n_tokens;
  free->opened = PrefixDisk::Time::clock::now();
  for (size_t kind = 0; kind < kCacheKinds; ++kind) pools_[kind].n_reserved += worst_pages(CacheKind(kind), n_tokens);
  return int(free - slots_.begin());
}

// A page that was planned for a sequence is free, or kept for a prompt that may never come.
int32_t KvCache::take_page(CacheKind kind) {
  Pool& pool = pools_[size_t(kind)];
  if (pool.free.empty() && prefixes_) {
    const PrefixCache::GivenUp pages = prefixes_->give_up(kind);
    const int32_t given_up = kind == CacheKind::full ? pages.full : pages.sliding;
    if (disk_ && given_up >= 0) disk_->give_up(kind, given_up);
    if (pages.full >= 0) pools_[size_t(CacheKind::full)].free.push_back(pages.full);
    if (pages.sliding >= 0) pools_[size_t(CacheKind::sliding)].free.push_back(pages.sliding);
  }
  PARO_CHECK(!pool.free.empty(), "a reserved page is missing");
  const int32_t page = pool.free.back();
  pool.free.pop_back();
  pool.n_users[size_t(page)] = 1;
  return page;
}

void KvCache::use(CacheKind kind, int32_t page) {
  if (pools_[size_t(kind)].n_users[size_t(page)]++ == 0) prefixes_->wake(kind, page);
}

void KvCache::release(CacheKind kind, int32_t page) {
  Pool& pool = pools_[size_t(kind)];
  if (--pool.n_users[size_t(page)] > 0) return;
  if (prefixes_ && prefixes_->is_named(kind, page)) {
    prefixes_->rest(kind, page);
  } else {
    pool.free.push_back(page);
  }
}

// From the end, so that of a beginning that is kept the end is given up first.
void KvCache::free_blocks(CacheKind kind, int slot, int begin, int end) {
  for (int block = end - 1; block >= begin; --block) release(kind, std::exchange(page(kind, slot, block), -1));
}

// Takes back pages of sliding attention that no position from this one on can see.
void KvCache::pass_window(int slot, int position) {
  constexpr auto kind = size_t(CacheKind::sliding);
  if (!used_[kind]) return;
  Slot& s = slots_[size_t(slot)];
  const int first = std::clamp(first_seen(position), s.first_block[kind], s.end_block[kind]);
  free_blocks(CacheKind::sliding, slot, s.first_block[kind], first);
  s.first_block[kind] = first;
}

void KvCache::extend(int slot, int begin, int end) {
  Slot& s = slots_[size_t(slot)];
  PARO_CHECK(s.open && begin < end && end <= s.n_reserved_tokens, "[{}, {}) of {}", begin, end, s.n_reserved_tokens);
  pass_window(slot, begin);
  for (size_t kind = 0; kind < kCacheKinds; ++kind) {
    if (!used_[kind]) continue;
    for (int& block = s.end_block[kind]; block < blocks_of(end); ++block) {
      page(CacheKind(kind), slot, block) = take_page(CacheKind(kind));
    }
  }
}

int KvCache::reuse(int slot, std::span<const int32_t> prompt, int n_cached) {
  Slot& s = slots_[size_t(slot)];
  if (!s.shares) return n_cached;
  if (disk_ && !read_beginning(s, prompt)) return n_cached;
  const int n = reuse_pages(slot, prompt, n_cached);
  let_go(s);
  return n;
}

int KvCache::reuse_pages(int slot, std::span<const int32_t> prompt, int n_cached) {
  Slot& s = slots_[size_t(slot)];
  const bool slides = used_[size_t(CacheKind::sliding)];
  int n_with_sliding = 0;  // blocks up to `block` that have their page of sliding attention
  if (slides) {
    for (int32_t b = s.last_named; b >= 0 && prefixes_->sliding_page(b) >= 0; b = prefixes_->before(b)) {
      if (++n_with_sliding >= window_blocks(s.n_named)) break;
    }
  }
  int32_t block = s.last_named, best = s.last_named;
  int n = s.n_named, n_best = s.n_named;
  while ((n + 1) * kPageTokens < int(prompt.size())) {
    const int32_t next = prefixes_->find(block, prompt.subspan(size_t(n) * kPageTokens).first<size_t(kPageTokens)>());
    if (next < 0) break;
    block = next;
    ++n;
    n_with_sliding = slides && prefixes_->sliding_page(block) >= 0 ? n_with_sliding + 1 : 0;
    if (!slides || n_with_sliding >= window_blocks(n)) best = block, n_best = n;
  }
  s.fork = n > n_best ? n : 0;
  if (n_best == s.n_named) return n_cached;
  take_over(slot, best, n_best);
  return n_best * kPageTokens;
}

// Puts the pages of the n_blocks up to `block` into the tables, behind those blocks that the sequence has named itself.
void KvCache::take_over(int slot, int32_t block, int n_blocks) {
  Slot& s = slots_[size_t(slot)];
  for (size_t kind = 0; kind < kCacheKinds; ++kind) {
    const int begin = std::max(s.n_named, s.first_block[kind]);
    free_blocks(CacheKind(kind), slot, begin, s.end_block[kind]);  // the rest of a block, written but not named
    s.end_block[kind] = std::min(s.end_block[kind], begin);
  }
  const int first_sliding = std::max(s.n_named, first_seen(n_blocks * kPageTokens));
  int32_t of_block = block;
  for (int b = n_blocks - 1; b >= s.n_named; --b, of_block = prefixes_->before(of_block)) {
    use(CacheKind::full, page(CacheKind::full, slot, b) = of_block);
    if (disk_) disk_->touch(keys_[size_t(of_block)], time_of_use(s, b));
    if (!used_[size_t(CacheKind::sliding)] || b < first_sliding) continue;
    use(CacheKind::sliding, page(CacheKind::sliding, slot, b) = prefixes_->sliding_page(of_block));
  }
  s.n_named = n_blocks;
  s.last_named = block;
  for (size_t kind = 0; kind < kCacheKinds; ++kind) {
    if (!used_[kind]) continue;
    if (CacheKind(kind) == CacheKind::sliding) {
      pass_window(slot, n_blocks * kPageTokens);
      if (s.first_block[kind] == s.end_block[kind]) s.first_block[kind] = first_sliding;
    }
    s.end_block[kind] = n_blocks;
  }
}

void KvCache::name_block(int slot, PrefixCache::Tokens tokens) {
  Slot& s = slots_[size_t(slot)];
  if (!s.shares) return;
  int32_t& full = page(CacheKind::full, slot, s.n_named);
  int32_t* const sliding = used_[size_t(CacheKind::sliding)] ? &page(CacheKind::sliding, slot, s.n_named) : nullptr;
  if (const int32_t known = prefixes_->find(s.last_named, tokens); known >= 0) {
    // Another sequence has run the same: what it wrote is the same, so that one page serves both.
    use(CacheKind::full, known);
    release(CacheKind::full, std::exchange(full, known));
    if (const int32_t theirs = sliding != nullptr ? prefixes_->sliding_page(known) : -1; theirs >= 0) {
      use(CacheKind::sliding, theirs);
      release(CacheKind::sliding, std::exchange(*sliding, theirs));
    }
  } else {
    prefixes_->insert(s.last_named, tokens, full);
  }
  if (sliding != nullptr && prefixes_->sliding_page(full) < 0) prefixes_->set_sliding_page(full, *sliding);
  if (disk_) offer_to_disk(s, tokens, full);
  s.last_named = full;
  if (++s.n_named == s.fork) keep_window(slot);
}

// One block more than the window: the same prompt goes on before its last token.
void KvCache::keep_window(int slot) {
  const Slot& s = slots_[size_t(slot)];
  if (s.shares && used_[size_t(CacheKind::sliding)]) prefixes_->keep_window(s.last_named, window_blocks(s.n_named) + 1);
}

void KvCache::truncate(int slot, int n_tokens) {
  Slot& s = slots_[size_t(slot)];
  PARO_CHECK(n_tokens >= s.n_named * kPageTokens, "{} tokens are named, {} are to stay", s.n_named * kPageTokens,
             n_tokens);
  for (size_t kind = 0; kind < kCacheKinds; ++kind) {
    const int end = std::max(int(blocks_of(n_tokens)), s.first_block[kind]);
    free_blocks(CacheKind(kind), slot, end, s.end_block[kind]);
    s.end_block[kind] = std::min(s.end_block[kind], end);
  }
}

void KvCache::close(int slot) {
  Slot& s = slots_[size_t(slot)];
  PARO_CHECK(s.open);
  keep_window(slot);
  let_go(s);
  for (size_t kind = 0; kind < kCacheKinds; ++kind) {
    free_blocks(CacheKind(kind), slot, s.first_block[kind], s.end_block[kind]);
    pools_[kind].n_reserved -= worst_pages(CacheKind(kind), s.n_reserved_tokens);
  }
  s = {};
}

}  // namespace paro
