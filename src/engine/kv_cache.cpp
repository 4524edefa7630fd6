#include "engine/kv_cache.h"

#include <algorithm>

#include "base/align.h"
#include "base/check.h"
#include "tensor/buffer.h"

namespace paro {
namespace {

int64_t blocks_of(int64_t n_tokens) { return ceil_div(n_tokens, kPageTokens); }

}  // namespace

KvLayout::KvLayout(const Backend& backend, const ModelSpec& spec, KvType type, int context, int batch,
                   int prefill_chunk)
    : max_context(context), max_batch(batch), max_blocks(blocks_of(context)) {
  const auto full = size_t(CacheKind::full), sliding = size_t(CacheKind::sliding);
  pages_per_sequence[full] = max_blocks;
  // A window that begins and a chunk that ends inside a page each touch one page more.
  pages_per_sequence[sliding] = std::min(max_blocks, blocks_of(int64_t(spec.sliding_window) + prefill_chunk) + 1);
  for (size_t kind = 0; kind < kCacheKinds; ++kind) n_pages[kind] = pages_per_sequence[kind] * max_batch;
  for (const KvLayerSpec& layer : spec.kv_layers) {
    const int64_t page = backend.page_bytes({layer.n_kv_heads, layer.head_dim, type});
    layer_bytes.push_back(round_up(n_pages[size_t(layer.kind)] * page, Buffer::kAlignment));
    n_bytes += layer_bytes.back();
  }
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
    used_[size_t(layer.kind)] = true;
    offset += layout.layer_bytes[i];
  }
  for (size_t kind = 0; kind < kCacheKinds; ++kind) {
    Pool& pool = pools_[kind];
    pool.table.assign(size_t(layout.max_batch * layout.max_blocks), -1);
    for (int64_t page = layout.n_pages[kind] - 1; page >= 0; --page) pool.free.push_back(int32_t(page));
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

int KvCache::open(int n_tokens) {
  PARO_CHECK(n_tokens <= layout_.max_context && can_reserve(n_tokens));
  const auto free = std::find_if(slots_.begin(), slots_.end(), [](const Slot& s) { return !s.open; });
  *free = {.open = true, .n_reserved_tokens = n_tokens};
  for (size_t kind = 0; kind < kCacheKinds; ++kind) pools_[kind].n_reserved += worst_pages(CacheKind(kind), n_tokens);
  return int(free - slots_.begin());
}

void KvCache::extend(int slot, int begin, int end) {
  Slot& s = slots_[size_t(slot)];
  PARO_CHECK(s.open && begin < end && end <= s.n_reserved_tokens, "[{}, {}) of {}", begin, end, s.n_reserved_tokens);
  for (size_t kind = 0; kind < kCacheKinds; ++kind) {
    if (!used_[kind]) continue;
    if (CacheKind(kind) == CacheKind::sliding) {
      const int first_seen = std::max(0, begin - sliding_window_ + 1) / kPageTokens;
      free_blocks(CacheKind(kind), slot, s.first_block[kind], std::min(first_seen, s.end_block[kind]));
      s.first_block[kind] = std::max(s.first_block[kind], std::min(first_seen, s.end_block[kind]));
    }
    Pool& pool = pools_[kind];
    for (int& block = s.end_block[kind]; block < blocks_of(end); ++block) {
      PARO_CHECK(!pool.free.empty(), "a reserved page is missing");
      pool.table[size_t(slot * layout_.max_blocks + block)] = pool.free.back();
      pool.free.pop_back();
    }
  }
}

void KvCache::truncate(int slot, int n_tokens) {
  Slot& s = slots_[size_t(slot)];
  for (size_t kind = 0; kind < kCacheKinds; ++kind) {
    const int end = std::max(int(blocks_of(n_tokens)), s.first_block[kind]);
    free_blocks(CacheKind(kind), slot, end, s.end_block[kind]);
    s.end_block[kind] = std::min(s.end_block[kind], end);
  }
}

void KvCache::free_blocks(CacheKind kind, int slot, int begin, int end) {
  Pool& pool = pools_[size_t(kind)];
  for (int block = begin; block < end; ++block) {
    int32_t& page = pool.table[size_t(slot * layout_.max_blocks + block)];
    pool.free.push_back(page);
    page = -1;
  }
}

void KvCache::close(int slot) {
  Slot& s = slots_[size_t(slot)];
  PARO_CHECK(s.open);
  for (size_t kind = 0; kind < kCacheKinds; ++kind) {
    free_blocks(CacheKind(kind), slot, s.first_block[kind], s.end_block[kind]);
    pools_[kind].n_reserved -= worst_pages(CacheKind(kind), s.n_reserved_tokens);
  }
  s = {};
}

}  // namespace paro
