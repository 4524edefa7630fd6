#include "backends/reference/elementwise.h"

#include <algorithm>
#include <cmath>

#include "backends/reference/matmul.h"

namespace paro::reference {
namespace {

// 1 / sqrt(mean(x^2) + eps) of one row.
float inverse_rms(const float* x, int64_t n, float eps) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
  return 1.0f / std::sqrt(sum / float(n) + eps);
}

}  // namespace

void embedding(const Table& table, std::span<const int32_t> ids, float factor, Tensor y) {
  const int64_t cols = table.spec.cols;
  for (size_t r = 0; r < ids.size(); ++r) {
    for (int64_t i = 0; i < cols; ++i) y.f32()[int64_t(r) * cols + i] = table_element(table, ids[r], i) * factor;
  }
}

void rms_norm(Tensor x, Vector weight, float eps, Tensor y) {
  const int64_t n = x.shape.last();
  for (int64_t row = 0; row < x.n_elements(); row += n) {
    const float factor = inverse_rms(x.f32() + row, n, eps);
    for (int64_t i = 0; i < n; ++i) y.f32()[row + i] = x.f32()[row + i] * factor * (weight.n ? weight.data[i] : 1.0f);
  }
}

void add_rms_norm(Tensor into, Tensor x, Vector weight, float eps) {
  const int64_t n = x.shape.last();
  for (int64_t row = 0; row < x.n_elements(); row += n) {
    const float factor = inverse_rms(x.f32() + row, n, eps);
    for (int64_t i = 0; i < n; ++i) into.f32()[row + i] += x.f32()[row + i] * factor * weight.data[i];
  }
}

void rope_table(std::span<const int32_t> positions, Vector inv_freq, Tensor table) {
  float* out = table.f32();
  for (const int32_t position : positions) {
    for (int64_t i = 0; i < inv_freq.n; ++i) {
      const float angle = float(position) * inv_freq.data[i];
      *out++ = std::cos(angle);
      *out++ = std::sin(angle);
    }
  }
}

void rope(Tensor x, Tensor table) {
  const int64_t n_heads = x.dim(1), half = x.dim(2) / 2;
  for (int64_t row = 0; row < x.dim(0); ++row) {
    const float* cos_sin = table.f32() + row * half * 2;
    for (int64_t head = 0; head < n_heads; ++head) {
      float* h = x.f32() + (row * n_heads + head) * half * 2;
      for (int64_t i = 0; i < half; ++i) {
        const float c = cos_sin[2 * i], s = cos_sin[2 * i + 1];
        const float a = h[i], b = h[i + half];
        h[i] = a * c - b * s;
        h[i + half] = b * c + a * s;
      }
    }
  }
}

void add(Tensor into, Tensor x) {
  for (int64_t i = 0; i < x.n_elements(); ++i) into.f32()[i] += x.f32()[i];
}

void scale(Tensor x, Vector factors) {
  for (int64_t i = 0; i < x.n_elements(); ++i) x.f32()[i] *= factors.data[i % factors.n];
}

float activate(Activation activation, float x) {
  if (activation == Activation::silu) return x / (1.0f + std::exp(-x));
  constexpr float kSqrt2OverPi = 0.7978845608028654f;  // gelu, tanh form: Hendrycks and Gimpel 2016
  return 0.5f * x * (1.0f + std::tanh(kSqrt2OverPi * (x + 0.044715f * x * x * x)));
}

void glu(Activation activation, Tensor gate, Tensor up, Tensor y) {
  for (int64_t i = 0; i < y.n_elements(); ++i) y.f32()[i] = activate(activation, gate.f32()[i]) * up.f32()[i];
}

void take_rows(Tensor x, std::span<const int32_t> rows, Tensor y) {
  const int64_t n = x.dim(1);
  for (size_t i = 0; i < rows.size(); ++i) std::copy_n(x.f32() + rows[i] * n, n, y.f32() + int64_t(i) * n);
}

void take_slice(Tensor x, int64_t index, Tensor y) {
  const int64_t m = x.dim(1), p = x.dim(2);
  for (int64_t row = 0; row < x.dim(0); ++row) std::copy_n(x.f32() + (row * m + index) * p, p, y.f32() + row * p);
}

}  // namespace paro::reference
