// Ops on rows against the reference, on sizes around every vector width.
#include <fmt/format.h>

#include "op_test.h"

namespace paro::test {
namespace {

class CpuElementwise : public CpuOps {
 protected:
  // Runs the op on both backends, each on its own copy of x, and compares what it left in the output.
  template <typename Op>
  void compare(const Shape& shape, float relative, const std::string& what, Op&& op) {
    std::vector<std::vector<float>> results;
    const auto x = normals(random_, shape.n_elements());
    for (Backend* backend : {backend_.get(), reference_.get()}) {
      Output y(shape);
      std::memcpy(y.tensor().data, x.data(), x.size() * sizeof(float));
      op(*backend, y.tensor());
      results.push_back(y.values());
    }
    expect_near(results[0], results[1], relative, relative, what + " " + to_string(shape));
  }
};
PARO_FOR_EVERY_ISA(CpuElementwise);

TEST_P(CpuElementwise, TailSizesMatchReference) {
  for (int64_t n = 1; n <= 67; n += n < 34 ? 1 : 11) {
    for (const int64_t rows : {1, 3}) {
      const auto weight = normals(random_, n);
      auto other = normals(random_, rows * n, 3);
      const Shape shape{rows, n};
      compare(shape, 2e-6f, "rms_norm",
              [&](Backend& b, Tensor y) { b.rms_norm(view(other, shape), view(weight), 1e-6f, y); });
      compare(shape, 2e-6f, "rms_norm in place", [&](Backend& b, Tensor y) { b.rms_norm(y, {}, 1e-6f, y); });
      compare(shape, 2e-6f, "add_rms_norm",
              [&](Backend& b, Tensor y) { b.add_rms_norm(y, view(other, shape), view(weight), 1e-6f); });
      compare(shape, 0, "add", [&](Backend& b, Tensor y) { b.add(y, view(other, shape)); });
      compare(shape, 0, "scale", [&](Backend& b, Tensor y) { b.scale(y, 0.7f); });
      compare(shape, 0, "scale by row", [&](Backend& b, Tensor y) { b.scale(y, view(weight)); });
      compare(shape, 0, "scale by one", [&](Backend& b, Tensor y) { b.scale(y, Vector{weight.data(), 1}); });
      for (const Activation a : {Activation::gelu_tanh, Activation::silu}) {
        compare(shape, 2e-6f, "glu", [&](Backend& b, Tensor y) { b.glu(a, view(other, shape), y, y); });
      }
    }
  }
}

TEST_P(CpuElementwise, LargeRowsMatchReference) {
  const auto weight = normals(random_, 2816);
  compare({40, 2816}, 3e-6f, "rms_norm", [&](Backend& b, Tensor y) { b.rms_norm(y, view(weight), 1e-6f, y); });
  compare({40, 2816}, 2e-6f, "glu", [&](Backend& b, Tensor y) { b.glu(Activation::silu, y, y, y); });
}

TEST_P(CpuElementwise, ActivationsHoldFarFromZero) {
  std::vector<float> gate{-1e30f, -1e4f, -88, -20, -1e-20f, 0, 1e-20f, 20, 88, 1e4f, 1e30f};
  std::vector<float> up(gate.size(), 1.0f);
  const Shape shape{1, int64_t(gate.size())};
  for (const Activation a : {Activation::gelu_tanh, Activation::silu}) {
    compare(shape, 1e-6f, "glu", [&](Backend& b, Tensor y) { b.glu(a, view(gate, shape), view(up, shape), y); });
  }
}

TEST_P(CpuElementwise, RopeMatchesReference) {
  for (const int64_t head_dim : {2, 6, 16, 30, 32, 34, 64, 128, 256}) {
    auto inv_freq = normals(random_, head_dim / 2);
    const std::vector<int32_t> positions{0, 1, 77, 4000, 131071};
    Output table({5, head_dim / 2, 2});
    backend_->rope_table(positions, view(inv_freq), table.tensor());
    Output expected({5, head_dim / 2, 2});
    reference_->rope_table(positions, view(inv_freq), expected.tensor());
    expect_bits(table.values(), expected.values(), "rope_table");
    compare({5, 3, head_dim}, 1e-6f, "rope", [&](Backend& b, Tensor y) { b.rope(y, table.tensor()); });
  }
}

TEST_P(CpuElementwise, RowsAndSlicesAreTaken) {
  auto x = normals(random_, 5 * 3 * 7);
  const std::vector<int32_t> rows{4, 0, 4};
  Output taken({3, 21});
  backend_->take_rows(view(x, {5, 21}), rows, taken.tensor());
  Output slice({5, 7});
  backend_->take_slice(view(x, {5, 3, 7}), 1, slice.tensor());
  for (int64_t i = 0; i < 21; ++i) {
    EXPECT_EQ(taken.values()[size_t(i)], x[size_t(84 + i)]);
    EXPECT_EQ(taken.values()[size_t(21 + i)], x[size_t(i)]);
  }
  for (int64_t r = 0; r < 5; ++r) {
    for (int64_t i = 0; i < 7; ++i) EXPECT_EQ(slice.values()[size_t(r * 7 + i)], x[size_t(r * 21 + 7 + i)]);
  }
}

}  // namespace
}  // namespace paro::test
