// Attention over cache pages. A page is keys then values, f32 [2, kPageTokens, n_kv_heads, head_dim], whatever type is
// asked for.
#pragma once

#include <span>

#include "ops/backend.h"

namespace paro::reference {

int64_t page_bytes(const KvSpec& spec);
void append_kv(Tensor k, Tensor v, const KvLayer& kv, const Batch& batch);
int64_t scratch_bytes(const AttentionArgs& args);
void attention(const AttentionArgs& args, std::span<std::byte> scratch);

}  // namespace paro::reference
