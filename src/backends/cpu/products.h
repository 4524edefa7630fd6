// From a Linear to the jobs of its product, and how a product is cut into items for threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backends/cpu/backend_class.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/layout.h"
#include "backends/cpu/parallel.h"

namespace paro::cpu {

// Weights of one item stay in the second-level cache while all tokens pass.
constexpr int64_t kItemBytes = 384 << 10;

// n_units rows or blocks times n_tokens, cut into items of unit_step units times token_step tokens.
struct Grid {
  int64_t n_units = 0;
  int64_t n_tokens = 0;
  int64_t unit_step = 1;
  int64_t token_step = 1;

  Grid() = default;
  // total_bytes: of all weights that the same threads work through in this phase.
  Grid(int64_t units, int64_t unit_bytes, int64_t tokens, int64_t total_bytes, int n_threads)
      : n_units(units), n_tokens(tokens), token_step(std::max<int64_t>(1, tokens)) {
    const int64_t wanted_items = n_threads == 1 ? 1 : 6 * n_threads;
    const int64_t bytes = std::clamp<int64_t>(total_bytes / wanted_items, 24 << 10, kItemBytes);
    // Whole tiles, which are up to four blocks high.
    unit_step = std::max<int64_t>(4, bytes / std::max<int64_t>(1, unit_bytes) / 4 * 4);
    const int64_t n_items = std::max<int64_t>(1, total_bytes / std::max<int64_t>(1, unit_step * unit_bytes));
    if (n_items < wanted_items / 2) {
      token_step = round_up(ceil_div(tokens, ceil_div(wanted_items, n_items)), kSpanTokens);
    }
  }

  int64_t n_items() const { return ceil_div(n_units, unit_step) * ceil_div(n_tokens, token_step); }

  // body(unit_begin, unit_end, token_begin, n_tokens)
  template <typename Body>
  void item(int64_t i, Body&& body) const {
    const int64_t n_unit_items = ceil_div(n_units, unit_step);
    const int64_t unit = i % n_unit_items * unit_step;
    const int64_t token = i / n_unit_items * token_step;
    body(unit, std::min(unit + unit_step, n_units), token, std::min(token_step, n_tokens - token));
  }
};

// Quantized activations of n tokens in scratch: each row apart, or tiled for INT4 blocks.
inline QuantizedRows take_quantized(Scratch& scratch, int64_t n, int64_t n_in, int64_t n_groups) {
  const int64_t stride = quantized_row_bytes(n_in, n_groups);
  return {scratch.take<uint8_t>(n * stride), stride, n_in, false};
}
inline QuantizedRows take_tiled(Scratch& scratch, int64_t n, int64_t n_in, int64_t n_groups) {
  QuantizedRows rows = take_quantized(scratch, n, n_in, n_groups);
  rows.tiled = true;
  return rows;
}
// From row `begin` on: the first of a span where rows are tiled.
inline QuantizedRows from_row(QuantizedRows rows, int64_t begin) {
  rows.data += begin * rows.stride;
  return rows;
}

inline QuantizeJob quantize_job(const float* x, int64_t n, int64_t n_in, int group_size, const Rotation& rotation,
                                const QuantizedRows& q) {
  QuantizeJob job{};
  job.x = x;
  job.x_stride = n_in;
  job.n = n;
  job.krot = rotation.spec.krot;
  job.rotation = job.krot == 0 ? nullptr : reinterpret_cast<const uint8_t*>(rotation.packed);
  job.group_size = group_size;
  job.n_groups = n_in / group_size;
  job.q = q;
  PARO_CHECK(job.krot == 0 || rotation.spec.group_size == group_size, "a rotation of groups of {} before groups of {}",
             rotation.spec.group_size, group_size);
  return job;
}
inline int64_t n_units(const QuantizeJob& job) { return job.n_groups * ceil_div(job.n, kTokenBlock); }

// A quantization in parts for n_threads threads.
inline Parts quantize_parts(const QuantizeJob& job, int n_threads) {
  return {n_units(job), n_threads == 1 ? 1 : 2 * int64_t(n_threads)};
}
inline void run_part(const Kernels& kernels, const QuantizeJob& job, const Parts& parts, int64_t part) {
  kernels.quantize(job, parts.begin(part), parts.end(part));
}

inline Int4Job int4_job(const MatrixSpec& spec, const std::byte* packed, Vector bias, const QuantizedRows& x, int64_t n,
                        float* y) {
  const Int4Layout layout(spec);
  Int4Job job{};
  job.blocks = reinterpret_cast<const uint8_t*>(packed);
  job.block_bytes = layout.block_bytes();
  job.n_groups = layout.n_groups;
  job.group_size = spec.group_size;
  job.x = x;
  job.n = n;
  job.bias = bias.n == 0 ? nullptr : bias.data;
  job.y = y;
  job.y_stride = spec.out;
  job.n_rows = spec.out;
  return job;
}

inline DenseJob dense_job(StoredFormat stored, int64_t n_cols, const std::byte* rows, const float* x, int64_t n,
                          float* y, int64_t y_stride) {
  DenseJob job{};
  job.rows = reinterpret_cast<const uint8_t*>(rows);
  job.row_bytes = DenseLayout(stored, n_cols).row_bytes;
  job.element = element_of(stored);
  job.n_cols = n_cols;
  job.x = x;
  job.n = n;
  job.y = y;
  job.y_stride = y_stride;
  return job;
}

}  // namespace paro::cpu
