// Ops that work on each row by itself, and the embedding.
#include <cmath>
#include <cstring>

#include "backends/cpu/backend_class.h"
#include "base/check.h"

namespace paro::cpu {
namespace {

// Work below this many elements is not worth waking threads for.
constexpr int64_t kElementsPerThread = 16384;

int64_t row_grain(int64_t row_elements) {
  return std::max<int64_t>(1, kElementsPerThread / std::max<int64_t>(1, row_elements));
}

int64_t n_rows(const Tensor& x) { return x.shape.last() == 0 ? 0 : x.n_elements() / x.shape.last(); }

}  // namespace

void CpuBackend::embedding(const Table& table, std::span<const int32_t> ids, float scale, Tensor y) {
  const TableLayout layout(table.spec);
  const int64_t n_cols = table.spec.cols;
  const auto* packed = reinterpret_cast<const uint8_t*>(table.packed);
  for (const int32_t id : ids) PARO_CHECK(id >= 0 && id < table.spec.rows, "token {} of {}", id, table.spec.rows);
  pool_.for_ranges(int64_t(ids.size()), row_grain(n_cols), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = ids[size_t(i)];
      float* out = y.f32() + i * n_cols;
      if (layout.type == TableType::int8) {
        const int64_t block = row / kBlockRows;
        kernels_.table_row(packed + block * layout.coarse_block_bytes,
                           packed + layout.coarse_bytes() + block * layout.fine_block_bytes, layout.row_scales_offset,
                           layout.n_groups, int(row % kBlockRows), scale, out);
      } else if (layout.type == TableType::int4) {
        kernels_.int4_row(packed + row * layout.int4_row_bytes, layout.n_groups, scale, out);
      } else {
        kernels_.dense_row(packed + row * layout.dense.row_bytes, element_of(table.spec.stored), n_cols, scale, out);
      }
    }
  });
}

void CpuBackend::rms_norm(Tensor x, Vector weight, float eps, Tensor y) {
  const int64_t n = x.shape.last();
  pool_.for_ranges(n_rows(x), row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      kernels_.rms_norm(x.f32() + i * n, weight.n == 0 ? nullptr : weight.data, eps, n, y.f32() + i * n);
    }
  });
}

void CpuBackend::add_rms_norm(Tensor into, Tensor x, Vector weight, float eps) {
  const int64_t n = x.shape.last();
  pool_.for_ranges(n_rows(x), row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      kernels_.add_rms_norm(x.f32() + i * n, weight.n == 0 ? nullptr : weight.data, eps, n, into.f32() + i * n);
    }
  });
}

void CpuBackend::rope_table(std::span<const int32_t> positions, Vector inv_freq, Tensor table) {
  constexpr int64_t kPairsPerThread = 512;
  pool_.for_ranges(int64_t(positions.size()) * inv_freq.n, kPairsPerThread, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float angle = float(positions[size_t(i / inv_freq.n)]) * inv_freq.data[i % inv_freq.n];
      table.f32()[2 * i] = std::cos(angle);
      table.f32()[2 * i + 1] = std::sin(angle);
    }
  });
}

void CpuBackend::rope(Tensor x, Tensor table) {
  const int64_t n_heads = x.dim(1);
  const int64_t head_dim = x.dim(2);
  pool_.for_ranges(x.dim(0), row_grain(n_heads * head_dim), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t head = 0; head < n_heads; ++head) {
        kernels_.rope(x.f32() + (i * n_heads + head) * head_dim, table.f32() + i * head_dim, head_dim / 2);
      }
    }
  });
}

void CpuBackend::add(Tensor into, Tensor x) {
  pool_.for_ranges(x.n_elements(), kElementsPerThread,
                   [&](int64_t begin, int64_t end) { kernels_.add(into.f32() + begin, x.f32() + begin, end - begin); });
}

void CpuBackend::scale(Tensor x, float factor) {
  pool_.for_ranges(x.n_elements(), kElementsPerThread,
                   [&](int64_t begin, int64_t end) { kernels_.scale(x.f32() + begin, factor, end - begin); });
}

void CpuBackend::scale(Tensor x, Vector factors) {
  if (factors.n == 1) return scale(x, factors.data[0]);
  const int64_t n = x.shape.last();
  pool_.for_ranges(n_rows(x), row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) kernels_.multiply(x.f32() + i * n, factors.data, n);
  });
}

void CpuBackend::glu(Activation activation, Tensor gate, Tensor up, Tensor y) {
  pool_.for_ranges(gate.n_elements(), kElementsPerThread / 4, [&](int64_t begin, int64_t end) {
    kernels_.glu(gate_of(activation), gate.f32() + begin, up.f32() + begin, end - begin, y.f32() + begin);
  });
}

void CpuBackend::take_rows(Tensor x, std::span<const int32_t> rows, Tensor y) {
  const int64_t n = x.dim(1);
  for (size_t i = 0; i < rows.size(); ++i) {
    PARO_CHECK(rows[i] >= 0 && rows[i] < x.dim(0), "row {} of {}", rows[i], x.dim(0));
    std::memcpy(y.f32() + int64_t(i) * n, x.f32() + rows[i] * n, size_t(n) * sizeof(float));
  }
}

void CpuBackend::take_slice(Tensor x, int64_t index, Tensor y) {
  const int64_t n = x.dim(2);
  for (int64_t i = 0; i < x.dim(0); ++i) {
    std::memcpy(y.f32() + i * n, x.f32() + (i * x.dim(1) + index) * n, size_t(n) * sizeof(float));
  }
}

}  // namespace paro::cpu
