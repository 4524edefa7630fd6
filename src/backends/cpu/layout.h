// Sizes of packed weights, of cache pages and of quantized rows. kernels.h says what stands in them.
#pragma once

#include <cstdint>

#include "backends/cpu/kernels.h"
#include "base/align.h"
#include "ops/batch.h"
#include "ops/weights.h"

namespace paro::cpu {

// [n_blocks, n_groups, tile]
struct Int4Layout {
  int64_t n_blocks = 0;
  int64_t n_groups = 0;
  int64_t tile_bytes = 0;

  explicit Int4Layout(const MatrixSpec& spec)
      : n_blocks(ceil_div(spec.out, kBlockRows)), n_groups(spec.n_groups()), tile_bytes(spec.group_size * 8 + 64) {}
  int64_t block_bytes() const { return n_groups * tile_bytes; }
  int64_t n_bytes() const { return n_blocks * block_bytes(); }
};

// Gate and up, block by block side by side, then down.
struct ExpertLayout {
  Int4Layout gate;
  Int4Layout down;

  explicit ExpertLayout(const ExpertSpec& spec) : gate(spec.gate()), down(spec.down()) {}
  int64_t down_offset() const { return 2 * gate.n_bytes(); }
  int64_t n_bytes() const { return down_offset() + down.n_bytes(); }
};

struct DenseLayout {
  int64_t element_bytes = 0;
  int64_t row_bytes = 0;

  DenseLayout(StoredFormat stored, int64_t n_cols)
      : element_bytes(stored == StoredFormat::f32 ? 4 : 2), row_bytes(round_up(n_cols, 16) * element_bytes) {}
};

// int8 and int4 in groups of 32 columns: groups of 64 round an embedding so coarsely that near ties between experts
// turn. Of int8 the coarse plane comes first, the fine one after it. Tables whose columns fill no group stay as they
// are stored.
struct TableLayout {
  TableType type = TableType::as_stored;
  int64_t n_groups = 0;
  int64_t n_blocks = 0;
  int64_t row_scales_offset = 0;
  int64_t coarse_block_bytes = 0;
  int64_t fine_block_bytes = 0;
  int64_t int4_row_bytes = 0;
  DenseLayout dense;
  int64_t n_bytes = 0;

  explicit TableLayout(const TableSpec& spec) : dense(spec.stored, spec.cols) {
    if (spec.cols % kTableGroup == 0) type = spec.type;
    if (type != TableType::as_stored) n_groups = spec.cols / kTableGroup;
    if (type == TableType::int8) {
      n_blocks = ceil_div(spec.rows, kBlockRows);
      row_scales_offset = round_up(n_groups * kBlockRows, 64);
      coarse_block_bytes = row_scales_offset + 2 * kBlockRows * int64_t(sizeof(float)) + spec.cols / 16 * 3 * 64;
      fine_block_bytes = spec.cols / 16 * 64;
      n_bytes = n_blocks * (coarse_block_bytes + fine_block_bytes);
    } else if (type == TableType::int4) {
      int4_row_bytes = n_groups * kInt4TableGroupBytes;
      n_bytes = spec.rows * int4_row_bytes;
    } else {
      n_bytes = spec.rows * dense.row_bytes;
    }
  }
  int64_t coarse_bytes() const { return n_blocks * coarse_block_bytes; }
};

// [in / group_size] groups, see QuantizeJob.
constexpr int64_t rotation_group_bytes(const RotationSpec& spec) {
  return 3 * int64_t(spec.group_size) * (spec.krot + 1);
}

constexpr Element element_of(StoredFormat stored) {
  return stored == StoredFormat::bf16 ? Element::bf16 : stored == StoredFormat::f32 ? Element::f32 : Element::f16;
}

// One key head's part of a page.
inline KvLayout kv_layout(const KvSpec& spec) {
  KvLayout layout{};
  layout.element = spec.type == KvType::f32 ? Element::f32 : spec.type == KvType::f16 ? Element::f16 : Element::i8;
  const int64_t size = spec.type == KvType::f32 ? 4 : spec.type == KvType::f16 ? 2 : 1;
  layout.head_dim = spec.head_dim;
  layout.padded_dim = int(round_up(spec.head_dim, kValueBlock));
  layout.values_offset = round_up(spec.head_dim, 2) * kPage * size;
  layout.scales_offset = round_up(layout.values_offset + int64_t(layout.padded_dim) * kPage * size, 64);
  return layout;
}
inline int64_t kv_head_bytes(const KvSpec& spec) {
  return kv_layout(spec).scales_offset + (spec.type == KvType::q8 ? 2 * kPage * int64_t(sizeof(float)) : 0);
}

// Rows of quantized activations in scratch.
constexpr int64_t quantized_row_bytes(int64_t n_in, int64_t n_groups) { return round_up(n_in + n_groups * 8, 64); }

}  // namespace paro::cpu
