// The format in scalar code: the specification that every packing and every kernel is tested against.
#pragma once

#include <cstdint>

#include "paroquant/stored.h"

namespace paro {

// One stored weight of an INT4 piece; row and col count from the piece's first.
struct Int4Weight {
  int code = 0;  // 0..15
  float scale = 0;
  float scaled_zero = 0;  // scale * zero; the weight is scale * code - scaled_zero
};
Int4Weight int4_weight(const MatrixSpec& spec, const MatrixPiece& piece, int64_t row, int64_t col);

// One element of a dense piece.
float dense_weight(const MatrixSpec& spec, const MatrixPiece& piece, int64_t row, int64_t col);

// x[in] <- R(x * channel_scales). For each pair of a round, with c = cos theta and s = sin theta:
//   xi' = c xi + s xj,  xj' = c xj - s xi.
void rotate(const RotationSpec& spec, const StoredRotation& rotation, float* x);

}  // namespace paro
