#include "backends/cpu/pack.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "backends/cpu/layout.h"
#include "backends/cpu/nibbles.h"
#include "base/check.h"
#include "base/float16.h"

namespace paro::cpu {
namespace {

// Scales and scaled zeros of 16 rows; rows past the end stay zero.
void pack_scales(const Kernels& kernels, const MatrixSpec& spec, const MatrixPiece& piece, int64_t group, int64_t row,
                 std::byte* tile_scales) {
  const int64_t n = std::min<int64_t>(kBlockRows, piece.n_rows - row);
  uint16_t scales[kBlockRows] = {};
  uint16_t scaled_zeros[kBlockRows] = {};
  std::memcpy(scales, piece.scales + group * piece.scales_stride + row * 2, size_t(n) * 2);
  const std::byte* zeros = piece.zeros + group * piece.zeros_stride;
  if (spec.stored == StoredFormat::int4_awq) {
    uint8_t codes[kBlockRows] = {};
    if (n == kBlockRows) {
      awq_two_words_codes(zeros + row / 2, codes);
    } else {
      for (int64_t i = 0; i < n; i += 8) awq_word_codes(zeros + (row + i) / 2, codes + i);
    }
    kernels.scale_zeros(scales, codes, scaled_zeros);
  } else {
    std::memcpy(scaled_zeros, zeros + row * 2, size_t(n) * 2);
  }
  std::memcpy(tile_scales, scales, sizeof scales);
  std::memcpy(tile_scales + sizeof scales, scaled_zeros, sizeof scaled_zeros);
}

}  // namespace

void pack_int4(const Kernels& kernels, const MatrixSpec& spec, const MatrixPiece& piece, int64_t block_stride,
               std::byte* packed) {
  const Int4Layout layout(spec);
  PARO_CHECK(piece.row_begin % kBlockRows == 0 && piece.col_begin % spec.group_size == 0 &&
             piece.n_cols % spec.group_size == 0);
  PARO_CHECK(piece.row_begin + piece.n_rows <= spec.out && piece.col_begin + piece.n_cols <= spec.in);
  // A group of so many rows is read while its lines are in cache, and written as runs of whole tiles. Of AWQ codes,
  // those of the next so many rows, perhaps of the next group, are fetched meanwhile.
  constexpr int64_t kRowsAtATime = 2 * kAheadBytes;
  constexpr int64_t kRowsOfStep = 2 * kBlockRows;
  const int64_t lines_of_step = spec.group_size * kRowsOfStep / kRowsAtATime;
  for (int64_t group = 0; group < piece.n_cols / spec.group_size; ++group) {
    for (int64_t chunk = 0; chunk < piece.n_rows; chunk += kRowsAtATime) {
      const int64_t chunk_end = std::min(chunk + kRowsAtATime, piece.n_rows);
      const auto tile = [&](int64_t row) {
        return packed + (piece.row_begin + row) / kBlockRows * block_stride +
               (piece.col_begin / spec.group_size + group) * layout.tile_bytes;
      };
      const int64_t col = group * spec.group_size;
      const bool ends_group = chunk_end == piece.n_rows;
      const std::byte* ahead = piece.codes + (ends_group ? col + spec.group_size : col) * piece.codes_stride +
                               (ends_group ? 0 : chunk_end / 2);
      for (int64_t row = chunk; row < chunk_end; row += kRowsOfStep, ahead += lines_of_step * piece.codes_stride) {
        const int64_t n_rows = std::min(kRowsOfStep, chunk_end - row);
        // Never read where there is one block only.
        std::byte* const second = n_rows > kBlockRows ? tile(row + kBlockRows) : nullptr;
        if (spec.stored == StoredFormat::int4_awq) {
          pack_awq_codes(piece.codes + col * piece.codes_stride + row / 2, piece.codes_stride, n_rows, spec.group_size,
                         ahead, tile(row), second);
        } else {
          for (int64_t i = 0; i < n_rows; i += kBlockRows) {
            pack_native_codes(piece.codes + (row + i) / 4 * piece.codes_stride + col * 2, piece.codes_stride,
                              std::min<int64_t>(kBlockRows, n_rows - i), spec.group_size, tile(row + i));
          }
        }
        for (int64_t i = 0; i < n_rows; i += kBlockRows) {
          pack_scales(kernels, spec, piece, group, row + i, tile(row + i) + spec.group_size * 8);
        }
      }
    }
  }
}

void pack_dense(const MatrixSpec& spec, const MatrixPiece& piece, std::byte* packed) {
  const DenseLayout layout(spec.stored, spec.in);
  PARO_CHECK(piece.row_begin + piece.n_rows <= spec.out && piece.col_begin + piece.n_cols <= spec.in);
  for (int64_t row = 0; row < piece.n_rows; ++row) {
    std::memcpy(packed + (piece.row_begin + row) * layout.row_bytes + piece.col_begin * layout.element_bytes,
                piece.codes + row * piece.codes_stride, size_t(piece.n_cols * layout.element_bytes));
  }
}

// Places are renamed from round to round so that partners stand half a group apart; `place` follows each channel.
void pack_rotation(const RotationSpec& spec, const StoredRotation& stored, std::byte* packed) {
  const int group_size = spec.group_size;
  const int half = group_size / 2;
  for (int64_t group = 0; group < spec.in / group_size; ++group) {
    std::byte* out = packed + group * rotation_group_bytes(spec);
    std::memcpy(out, stored.channel_scales + group * group_size, size_t(group_size) * 2);
    out += 2 * group_size;
    uint8_t place[kMaxGroup];
    for (int k = 0; k < group_size; ++k) place[k] = uint8_t(k);
    for (int64_t round = 0; round < spec.krot; ++round) {
      const int16_t* pairs = stored.pairs + round * spec.in + group * group_size;
      const uint16_t* theta = stored.theta + (round * spec.in + group * group_size) / 2;
      uint8_t source[kMaxGroup];
      uint16_t angles[kMaxGroup];
      for (int p = 0; p < half; ++p) {
        const int i = pairs[2 * p];
        const int j = pairs[2 * p + 1];
        PARO_CHECK(i >= 0 && i < group_size && j >= 0 && j < group_size, "pair ({}, {})", i, j);
        source[p] = place[i];
        source[half + p] = place[j];
        const float angle = f16_to_f32(theta[p]);
        angles[p] = f32_to_f16(std::cos(angle));
        angles[half + p] = f32_to_f16(std::sin(angle));
        place[i] = uint8_t(p);
        place[j] = uint8_t(half + p);
      }
      std::memcpy(out, source, size_t(group_size));
      std::memcpy(out + group_size, angles, size_t(group_size) * 2);
      out += 3 * group_size;
    }
    std::memcpy(out, place, size_t(group_size));
  }
}

void pack_table(const Kernels& kernels, const TableSpec& spec, const TablePiece& piece, std::byte* packed) {
  const TableLayout layout(spec);
  const int64_t stored_bytes = spec.stored_row_bytes();
  PARO_CHECK(piece.row_begin + piece.n_rows <= spec.rows);
  if (layout.type == TableType::as_stored) {
    for (int64_t row = 0; row < piece.n_rows; ++row) {
      std::memcpy(packed + (piece.row_begin + row) * layout.dense.row_bytes, piece.rows + row * stored_bytes,
                  size_t(stored_bytes));
    }
    return;
  }
  if (layout.type == TableType::int4) {
    for (int64_t row = 0; row < piece.n_rows; ++row) {
      kernels.pack_int4_row(reinterpret_cast<const uint8_t*>(piece.rows + row * stored_bytes), element_of(spec.stored),
                            layout.n_groups,
                            reinterpret_cast<uint8_t*>(packed + (piece.row_begin + row) * layout.int4_row_bytes));
    }
    return;
  }
  PARO_CHECK(piece.row_begin % kBlockRows == 0, "row {}", piece.row_begin);
  auto* const planes = reinterpret_cast<uint8_t*>(packed);
  for (int64_t row = 0; row < piece.n_rows; row += kBlockRows) {
    const int64_t block = (piece.row_begin + row) / kBlockRows;
    kernels.pack_table_block(reinterpret_cast<const uint8_t*>(piece.rows + row * stored_bytes), stored_bytes,
                             int(std::min<int64_t>(kBlockRows, piece.n_rows - row)), element_of(spec.stored),
                             layout.n_groups, layout.row_scales_offset, planes + block * layout.coarse_block_bytes,
                             planes + layout.coarse_bytes() + block * layout.fine_block_bytes);
  }
}

}  // namespace paro::cpu
