#include "backends/reference/matmul.h"

#include <algorithm>
#include <cmath>

#include "backends/reference/elementwise.h"
#include "base/check.h"
#include "base/float16.h"
#include "paroquant/decode.h"

namespace paro::reference {
namespace {

constexpr int64_t kTableGroup = 32;

const float* floats(const std::byte* bytes) { return reinterpret_cast<const float*>(bytes); }
float* floats(std::byte* bytes) { return reinterpret_cast<float*>(bytes); }

// The scale of int4 codes -8 to 7, for elements from low to high: its sign makes the one that is farthest from zero -8,
// and it is an f16 that is rounded up, so that this one stays within.
float int4_scale(float low, float high) {
  const float wanted = std::min(std::max(-low, high) / 8, 65504.0f);
  uint16_t half = f32_to_f16(wanted);
  if (f16_to_f32(half) < wanted) ++half;
  return high >= -low ? -f16_to_f32(half) : f16_to_f32(half);
}

int64_t table_groups(const TableSpec& spec) { return (spec.cols + kTableGroup - 1) / kTableGroup; }

// y[out] = W R(x) + bias
void apply(const Linear& w, const float* x, float* rotated, float* y) {
  rotate(w.rotation, w.spec.in, x, rotated);
  matvec(w.spec, w.packed, rotated, y);
  for (int64_t i = 0; i < w.bias.n; ++i) y[i] += w.bias.data[i];
}

}  // namespace

int64_t packed_bytes(const MatrixSpec& spec) {
  if (!is_int4(spec.stored)) return spec.out * spec.in * 4;
  return (spec.out * spec.in + 63) / 64 * 64 + spec.out * spec.n_groups() * 8;
}

void pack(const MatrixSpec& spec, const MatrixPiece& piece, std::byte* packed) {
  const int64_t codes_bytes = (spec.out * spec.in + 63) / 64 * 64;
  for (int64_t r = 0; r < piece.n_rows; ++r) {
    const int64_t row = piece.row_begin + r;
    for (int64_t c = 0; c < piece.n_cols; ++c) {
      const int64_t col = piece.col_begin + c;
      if (!is_int4(spec.stored)) {
        floats(packed)[row * spec.in + col] = dense_weight(spec, piece, r, c);
        continue;
      }
      const Int4Weight w = int4_weight(spec, piece, r, c);
      packed[row * spec.in + col] = std::byte(w.code);
      float* group = floats(packed + codes_bytes) + (row * spec.n_groups() + col / spec.group_size) * 2;
      group[0] = w.scale;
      group[1] = w.scaled_zero;
    }
  }
}

void matvec(const MatrixSpec& spec, const std::byte* packed, const float* x, float* y) {
  const std::byte* groups = packed + (spec.out * spec.in + 63) / 64 * 64;
  for (int64_t row = 0; row < spec.out; ++row) {
    float sum = 0;
    for (int64_t col = 0; col < spec.in; ++col) {
      float weight = 0;
      if (is_int4(spec.stored)) {
        const float* group = floats(groups) + (row * spec.n_groups() + col / spec.group_size) * 2;
        weight = group[0] * float(std::to_integer<int>(packed[row * spec.in + col])) - group[1];
      } else {
        weight = floats(packed)[row * spec.in + col];
      }
      sum += weight * x[col];
    }
    y[row] = sum;
  }
}

int64_t packed_bytes(const RotationSpec& spec) { return spec.in * 4 + spec.krot * (spec.in / 2 * 4 + spec.in * 4); }

void pack(const RotationSpec& spec, const StoredRotation& stored, std::byte* packed) {
  float* out = floats(packed);
  for (int64_t i = 0; i < spec.in; ++i) *out++ = f16_to_f32(stored.channel_scales[i]);
  for (int64_t i = 0; i < spec.krot * spec.in / 2; ++i) *out++ = f16_to_f32(stored.theta[i]);
  auto* pairs = reinterpret_cast<int32_t*>(out);
  for (int64_t i = 0; i < spec.krot * spec.in; ++i) *pairs++ = stored.pairs[i];
}

void rotate(const Rotation& rotation, int64_t n, const float* x, float* rotated) {
  std::copy_n(x, n, rotated);
  const RotationSpec& spec = rotation.spec;
  if (spec.krot == 0) return;
  const float* channel_scales = floats(rotation.packed);
  const float* theta = channel_scales + n;
  const auto* pairs = reinterpret_cast<const int32_t*>(theta + spec.krot * n / 2);
  for (int64_t i = 0; i < n; ++i) rotated[i] *= channel_scales[i];
  for (int64_t round = 0; round < spec.krot; ++round) {
    for (int64_t pair = 0; pair < n / 2; ++pair) {
      float* group = rotated + pair / (spec.group_size / 2) * spec.group_size;
      float& a = group[pairs[round * n + 2 * pair]];
      float& b = group[pairs[round * n + 2 * pair + 1]];
      const float c = std::cos(theta[round * n / 2 + pair]);
      const float s = std::sin(theta[round * n / 2 + pair]);
      const float turned = c * a + s * b;
      b = c * b - s * a;
      a = turned;
    }
  }
}

int64_t packed_bytes(const TableSpec& spec) {
  if (spec.type == TableType::as_stored) return spec.rows * spec.cols * 4;
  return (spec.rows * spec.cols + 63) / 64 * 64 + spec.rows * table_groups(spec) * 4;
}

void pack(const TableSpec& spec, const TablePiece& piece, std::byte* packed) {
  const MatrixSpec stored{spec.rows, spec.cols, spec.stored, 0};
  const MatrixPiece lines{
      .n_rows = piece.n_rows,
      .n_cols = spec.cols,
      .codes = piece.rows,
      .codes_stride = spec.cols * (spec.stored == StoredFormat::f32 ? 4 : 2),
  };
  float* scales = floats(packed + (spec.rows * spec.cols + 63) / 64 * 64);
  for (int64_t r = 0; r < piece.n_rows; ++r) {
    const int64_t row = piece.row_begin + r;
    if (spec.type == TableType::as_stored) {
      for (int64_t c = 0; c < spec.cols; ++c) floats(packed)[row * spec.cols + c] = dense_weight(stored, lines, r, c);
      continue;
    }
    for (int64_t begin = 0; begin < spec.cols; begin += kTableGroup) {
      const int64_t end = std::min(begin + kTableGroup, spec.cols);
      float low = 0, high = 0;
      for (int64_t c = begin; c < end; ++c) {
        low = std::min(low, dense_weight(stored, lines, r, c));
        high = std::max(high, dense_weight(stored, lines, r, c));
      }
      const bool in_four_bits = spec.type == TableType::int4;
      const float scale = in_four_bits ? int4_scale(low, high) : std::max(-low, high) / 127;
      scales[row * table_groups(spec) + begin / kTableGroup] = scale;
      for (int64_t c = begin; c < end; ++c) {
        const float weight = dense_weight(stored, lines, r, c);
        float code = 0;
        if (scale != 0) code = in_four_bits ? std::clamp(weight * (1 / scale), -8.0f, 7.0f) : weight / scale;
        packed[row * spec.cols + c] = std::byte(int8_t(std::nearbyint(code)));
      }
    }
  }
}

float table_element(const Table& table, int64_t row, int64_t col) {
  const TableSpec& spec = table.spec;
  if (spec.type == TableType::as_stored) return floats(table.packed)[row * spec.cols + col];
  const float* scales = floats(table.packed + (spec.rows * spec.cols + 63) / 64 * 64);
  const auto code = int8_t(table.packed[row * spec.cols + col]);
  return float(code) * scales[row * table_groups(spec) + col / kTableGroup];
}

int64_t scratch_bytes(const LinearArgs& args) { return args.x.dim(1) * 4; }

void linear(const LinearArgs& args, std::span<std::byte> scratch) {
  float* rotated = floats(scratch.data());
  for (size_t i = 0; i < args.weights.size(); ++i) {
    const Linear& w = *args.weights[i];
    for (int64_t row = 0; row < args.x.dim(0); ++row) {
      apply(w, args.x.f32() + row * w.spec.in, rotated, args.y[i].f32() + row * w.spec.out);
    }
  }
}

int64_t scratch_bytes(const MlpArgs& args) { return (args.x.dim(1) + 3 * args.gate.spec.out) * 4; }

void mlp(const MlpArgs& args, std::span<std::byte> scratch) {
  const int64_t hidden = args.x.dim(1), intermediate = args.gate.spec.out;
  float* rotated = floats(scratch.data());  // [max(hidden, intermediate)] in front of gate and up
  float* gate = rotated + hidden + intermediate;
  float* up = gate + intermediate;
  for (int64_t row = 0; row < args.x.dim(0); ++row) {
    const float* x = args.x.f32() + row * hidden;
    apply(args.gate, x, rotated, gate);
    apply(args.up, x, rotated, up);
    for (int64_t i = 0; i < intermediate; ++i) gate[i] = activate(args.activation, gate[i]) * up[i];
    apply(args.down, gate, rotated, args.y.f32() + row * args.down.spec.out);
  }
}

void head(const HeadArgs& args) {
  const TableSpec& spec = args.table.spec;
  for (int64_t r = 0; r < args.x.dim(0); ++r) {
    const float* x = args.x.f32() + r * spec.cols;
    float* logits = args.logits.f32() + r * spec.rows;
    for (int64_t row = 0; row < spec.rows; ++row) {
      float sum = 0;
      for (int64_t col = 0; col < spec.cols; ++col) sum += table_element(args.table, row, col) * x[col];
      logits[row] = args.softcap > 0 ? std::tanh(sum / args.softcap) * args.softcap : sum;
    }
  }
}

}  // namespace paro::reference
