#include "paroquant/decode.h"

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/float16.h"

namespace paro {
namespace {

template <typename T>
T load(const std::byte* base, int64_t line_stride, int64_t line, int64_t index) {
  T value;
  std::memcpy(&value, base + line * line_stride + index * int64_t(sizeof(T)), sizeof(T));
  return value;
}

// Where an output channel stands in its word: the inverse of (0, 2, 4, 6, 1, 3, 5, 7).
constexpr int kAwqNibble[8] = {0, 4, 1, 5, 2, 6, 3, 7};

int awq_nibble(const std::byte* base, int64_t stride, int64_t line, int64_t channel) {
  const auto word = load<uint32_t>(base, stride, line, channel / 8);
  return int(word >> (4 * kAwqNibble[channel % 8]) & 15);
}

}  // namespace

Int4Weight int4_weight(const MatrixSpec& spec, const MatrixPiece& piece, int64_t row, int64_t col) {
  const int64_t group = col / spec.group_size;
  Int4Weight w;
  w.scale = f16_to_f32(load<uint16_t>(piece.scales, piece.scales_stride, group, row));
  if (spec.stored == StoredFormat::int4_awq) {
    w.code = awq_nibble(piece.codes, piece.codes_stride, col, row);
    w.scaled_zero = w.scale * float(awq_nibble(piece.zeros, piece.zeros_stride, group, row));
  } else {
    PARO_CHECK(spec.stored == StoredFormat::int4_native);
    w.code = load<uint16_t>(piece.codes, piece.codes_stride, row / 4, col) >> (4 * (row % 4)) & 15;
    w.scaled_zero = f16_to_f32(load<uint16_t>(piece.zeros, piece.zeros_stride, group, row));
  }
  return w;
}

float dense_weight(const MatrixSpec& spec, const MatrixPiece& piece, int64_t row, int64_t col) {
  switch (spec.stored) {
    case StoredFormat::f16:
      return f16_to_f32(load<uint16_t>(piece.codes, piece.codes_stride, row, col));
    case StoredFormat::bf16:
      return bf16_to_f32(load<uint16_t>(piece.codes, piece.codes_stride, row, col));
    case StoredFormat::f32:
      return load<float>(piece.codes, piece.codes_stride, row, col);
    default:
      break;
  }
  PARO_CHECK(false, "an INT4 matrix has no dense elements");
  return 0;
}

void rotate(const RotationSpec& spec, const StoredRotation& rotation, float* x) {
  for (int64_t i = 0; i < spec.in; ++i) x[i] *= f16_to_f32(rotation.channel_scales[i]);
  for (int64_t round = 0; round < spec.krot; ++round) {
    for (int64_t pair = 0; pair < spec.in / 2; ++pair) {
      float* group = x + pair / (spec.group_size / 2) * spec.group_size;
      const int16_t* ij = rotation.pairs + round * spec.in + 2 * pair;
      const float theta = f16_to_f32(rotation.theta[round * spec.in / 2 + pair]);
      const float c = std::cos(theta);
      const float s = std::sin(theta);
      const float xi = group[ij[0]];
      const float xj = group[ij[1]];
      group[ij[0]] = c * xi + s * xj;
      group[ij[1]] = c * xj - s * xi;
    }
  }
}

}  // namespace paro
