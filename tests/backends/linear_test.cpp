// Products with INT4 and dense weights against the reference, and bit by bit against themselves.
#include <fmt/format.h>

#include <algorithm>

#include "op_test.h"

namespace paro::test {
namespace {

// What the number format allows: codes of x are off by up to half a step of absmax / 127, evenly and one by one, which
// makes a normal error of known variance; cos and sin are f16, and so is scale * zero.
std::vector<float> tolerances(const StoredLinear& stored, const std::vector<float>& x) {
  const MatrixSpec& spec = stored.matrix.spec;
  std::vector<float> result;
  std::vector<double> weights(size_t(spec.out * spec.in));
  for (int64_t r = 0; r < spec.out; ++r) {
    for (int64_t k = 0; k < spec.in; ++k) {
      const Int4Weight w = int4_weight(spec, stored.matrix.piece, r, k);
      weights[size_t(r * spec.in + k)] = w.scale * float(w.code) - w.scaled_zero;
    }
  }
  for (size_t row = 0; row < x.size(); row += size_t(spec.in)) {
    std::vector<float> turned(x.begin() + int64_t(row), x.begin() + int64_t(row) + spec.in);
    if (stored.turn.spec.krot > 0) rotate(stored.turn.spec, stored.turn.stored, turned.data());
    std::vector<double> variance, sums;
    for (int64_t g = 0; g < spec.n_groups(); ++g) {
      double absmax = 0, square = 0, sum = 0;
      for (int64_t k = g * spec.group_size; k < (g + 1) * spec.group_size; ++k) {
        const double v = turned[size_t(k)];
        absmax = std::max(absmax, std::fabs(v));
        square += v * v / spec.group_size;
        sum += v;
      }
      variance.push_back(std::pow(absmax / 127, 2) / 12 + stored.turn.spec.krot * square * std::pow(2.0, -23));
      sums.push_back(std::fabs(sum));
    }
    for (int64_t r = 0; r < spec.out; ++r) {
      double total = 0, zeros = 0;
      for (int64_t k = 0; k < spec.in; ++k) {
        total += variance[size_t(k / spec.group_size)] * std::pow(weights[size_t(r * spec.in + k)], 2);
      }
      for (int64_t g = 0; g < spec.n_groups(); ++g) {
        const double zero = int4_weight(spec, stored.matrix.piece, r, g * spec.group_size).scaled_zero;
        zeros += std::fabs(zero) * (sums[size_t(g)] + 1) * std::pow(2.0, -11);
      }
      result.push_back(float(6 * std::sqrt(total) + zeros + 1e-5));
    }
  }
  return result;
}

void expect_within(const std::vector<float>& actual, const std::vector<float>& expected,
                   const std::vector<float>& tolerance, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_TRUE(std::fabs(actual[i] - expected[i]) <= tolerance[i])
        << what << ": element " << i << " is " << actual[i] << ", expected " << expected[i] << " within "
        << tolerance[i];
  }
}

class CpuLinear : public CpuOps {
 protected:
  void compare_int4(const MatrixSpec& spec, int krot, bool bias, int64_t n) {
    const std::string what = fmt::format("[{}, {}] g{} krot {} format {} n {}", spec.out, spec.in, spec.group_size,
                                         krot, int(spec.stored), n);
    const StoredLinear stored = random_linear(random_, spec, krot, bias);
    PackedLinear fast(*backend_, stored);
    PackedLinear exact(*reference_, stored);
    const auto x = normals(random_, n * spec.in);
    expect_within(run_linear(*backend_, fast.linear, x), run_linear(*reference_, exact.linear, x),
                  tolerances(stored, x), what);
  }
};
PARO_FOR_EVERY_ISA(CpuLinear);

TEST_P(CpuLinear, Int4MatchesReferenceOnEveryRowCount) {
  for (int64_t out = 8; out <= 72; out += 8) compare_int4({out, 128, StoredFormat::int4_awq, 64}, 4, out % 16 == 0, 3);
  for (int64_t out = 4; out <= 68; out += 4) {
    compare_int4({out, 128, StoredFormat::int4_native, 128}, 2, out % 8 == 0, 2);
  }
}

TEST_P(CpuLinear, Int4MatchesReferenceOnEveryTokenCount) {
  for (int64_t n = 1; n <= 50; ++n) compare_int4({40, 256, StoredFormat::int4_awq, 128}, 8, false, n);
  for (const int64_t n : {67, 96, 109}) compare_int4({72, 192, StoredFormat::int4_awq, 64}, 8, false, n);
}

TEST_P(CpuLinear, Int4MatchesReferenceOnEveryRotation) {
  for (int krot = 0; krot <= 16; ++krot) {
    for (const int group : {krot % 2 == 0 ? 32 : 256, 64, 128}) {
      compare_int4({24, 256, StoredFormat::int4_awq, group}, krot, true, 1);
      compare_int4({24, 256, StoredFormat::int4_native, group}, krot, true, 17);
    }
  }
}

TEST_P(CpuLinear, Int4MatchesReferenceOnARealShape) {
  compare_int4({512, 2816, StoredFormat::int4_awq, 64}, 8, false, 2);
}

TEST_P(CpuLinear, DenseMatchesReference) {
  for (const StoredFormat format : {StoredFormat::f16, StoredFormat::bf16, StoredFormat::f32}) {
    for (const int64_t out : {1, 2, 3, 5, 16, 37}) {
      for (const int64_t in : {1, 15, 16, 31, 64, 100}) {
        for (const int64_t n : {1, 2, 4, 5, 11}) {
          const StoredLinear stored = random_linear(random_, {out, in, format, 0}, 0, out % 2 == 0);
          PackedLinear fast(*backend_, stored);
          PackedLinear exact(*reference_, stored);
          const auto x = normals(random_, n * in);
          // Sums of up to 100 terms of 0.05 in another order.
          expect_near(run_linear(*backend_, fast.linear, x), run_linear(*reference_, exact.linear, x), 2e-6f, 1e-5f,
                      fmt::format("[{}, {}] format {} n {}", out, in, int(format), n));
        }
      }
    }
  }
}

TEST_P(CpuLinear, RowsDependOnNothingButThemselves) {
  for (const MatrixSpec& spec :
       {MatrixSpec{88, 384, StoredFormat::int4_awq, 128}, MatrixSpec{36, 384, StoredFormat::int4_native, 64},
        MatrixSpec{52, 384, StoredFormat::int4_native, 32}, MatrixSpec{37, 100, StoredFormat::f16, 0}}) {
    const StoredLinear stored = random_linear(random_, spec, 8, true);
    PackedLinear packed(*backend_, stored);
    constexpr int64_t n = 67;
    const auto x = normals(random_, n * spec.in);
    const auto together = run_linear(*backend_, packed.linear, x);
    for (const int64_t chunk : {1, 3, 7, 16, 33, 50}) {
      std::vector<float> parts;
      for (int64_t i = 0; i < n; i += chunk) {
        const auto part = run_linear(*backend_, packed.linear, rows_of(x, spec.in, i, std::min(chunk, n - i)));
        parts.insert(parts.end(), part.begin(), part.end());
      }
      expect_bits(parts, together, fmt::format("chunks of {} of [{}, {}]", chunk, spec.out, spec.in));
    }
    for (const int n_threads : {1, 3, 5}) {
      const auto other = cpu(GetParam(), n_threads);
      expect_bits(run_linear(*other, packed.linear, x), together, fmt::format("{} threads", n_threads));
      expect_bits(run_linear(*other, packed.linear, rows_of(x, spec.in, 0, 1)), rows_of(together, spec.out, 0, 1),
                  fmt::format("one row on {} threads", n_threads));
    }
  }
}

TEST_P(CpuLinear, LargeProductsAreCutIntoItemsWithoutATrace) {
  const MatrixSpec spec{1000, 512, StoredFormat::int4_awq, 128};
  PackedLinear packed(*backend_, random_linear(random_, spec, 4, false));
  constexpr int64_t n = 130;
  const auto x = normals(random_, n * spec.in);
  const auto together = run_linear(*cpu(GetParam(), 1), packed.linear, x);
  for (const int n_threads : {2, 8}) {
    expect_bits(run_linear(*cpu(GetParam(), n_threads), packed.linear, x), together,
                fmt::format("{} threads", n_threads));
  }
  expect_bits(run_linear(*backend_, packed.linear, rows_of(x, spec.in, 129, 1)), rows_of(together, spec.out, 129, 1),
              "the last row alone");
}

TEST_P(CpuLinear, SeveralWeightsOnOneInputAreAsEachAlone) {
  const StoredLinear stored[] = {random_linear(random_, {48, 256, StoredFormat::int4_awq, 128}, 8, true),
                                 random_linear(random_, {20, 256, StoredFormat::f16, 0}, 0, true),
                                 random_linear(random_, {24, 256, StoredFormat::int4_native, 64}, 3, false)};
  for (const int64_t n : {1, 9}) {
    auto x = normals(random_, n * 256);
    std::vector<std::unique_ptr<PackedLinear>> packed;
    std::vector<std::unique_ptr<Output>> outputs;
    std::vector<const Linear*> weights;
    std::vector<Tensor> y;
    for (const StoredLinear& s : stored) {
      packed.push_back(std::make_unique<PackedLinear>(*backend_, s));
      outputs.push_back(std::make_unique<Output>(Shape{n, s.matrix.spec.out}));
      weights.push_back(&packed.back()->linear);
      y.push_back(outputs.back()->tensor());
    }
    const LinearArgs args{view(x, {n, 256}), weights, y};
    Guarded scratch(backend_->scratch_bytes(args));
    backend_->linear(args, scratch.bytes());
    for (size_t i = 0; i < weights.size(); ++i) {
      expect_bits(outputs[i]->values(), run_linear(*backend_, *weights[i], x), fmt::format("weight {}", i));
    }
  }
}

TEST_P(CpuLinear, PiecesPackAsTheWholeDoes) {
  for (const StoredFormat format : {StoredFormat::int4_awq, StoredFormat::int4_native, StoredFormat::bf16}) {
    const MatrixSpec spec{200, 512, format, is_int4(format) ? 128 : 0};
    const StoredLinear stored = random_linear(random_, spec, 0, false);
    PackedLinear whole(*backend_, stored);
    Guarded pieces(backend_->packed_bytes(spec));
    std::memset(pieces.data(), 0, pieces.bytes().size());
    const MatrixPiece& all = stored.matrix.piece;
    for (int64_t col = 0; col < spec.in; col += 256) {
      for (int64_t row = 0; row < spec.out; row += 64) {
        MatrixPiece piece = all;
        piece.row_begin = row;
        piece.n_rows = std::min<int64_t>(64, spec.out - row);
        piece.col_begin = col;
        piece.n_cols = 256;
        if (format == StoredFormat::int4_awq) {
          piece.codes += col * all.codes_stride + row / 2;
          piece.zeros += col / 128 * all.zeros_stride + row / 2;
        } else if (format == StoredFormat::int4_native) {
          piece.codes += row / 4 * all.codes_stride + col * 2;
          piece.zeros += col / 128 * all.zeros_stride + row * 2;
        } else {
          piece.codes += row * all.codes_stride + col * 2;
        }
        if (is_int4(format)) piece.scales += col / 128 * all.scales_stride + row * 2;
        backend_->pack(spec, piece, pieces.data());
      }
    }
    EXPECT_EQ(std::memcmp(pieces.data(), whole.matrix().data(), pieces.bytes().size()), 0) << "format " << int(format);
  }
}

TEST_P(CpuLinear, ZeroInputGivesTheBias) {
  const StoredLinear stored = random_linear(random_, {24, 128, StoredFormat::int4_awq, 64}, 8, true);
  PackedLinear packed(*backend_, stored);
  expect_near(run_linear(*backend_, packed.linear, std::vector<float>(128)), stored.bias, 0, 0, "bias");
}

struct StoredMlp {
  StoredLinear gate, up, down;
};

std::vector<float> run_mlp(Backend& backend, const StoredMlp& stored, std::vector<float> x, Activation activation) {
  const PackedLinear gate(backend, stored.gate), up(backend, stored.up), down(backend, stored.down);
  const int64_t hidden = gate.linear.spec.in;
  const int64_t n = int64_t(x.size()) / hidden;
  Output y({n, down.linear.spec.out});
  const MlpArgs args{view(x, {n, hidden}), gate.linear, up.linear, down.linear, activation, y.tensor()};
  Guarded scratch(backend.scratch_bytes(args));
  backend.mlp(args, scratch.bytes());
  return y.values();
}

TEST_P(CpuLinear, MlpMatchesReference) {
  const auto make = [&](int64_t hidden, int64_t width, StoredFormat format, int group, bool bias) {
    return StoredMlp{random_linear(random_, {width, hidden, format, group}, 8, bias),
                     random_linear(random_, {width, hidden, format, group}, 5, bias),
                     random_linear(random_, {hidden, width, format, group}, 8, bias)};
  };
  for (const Activation activation : {Activation::gelu_tanh, Activation::silu}) {
    for (const int64_t n : {1, 2, 7, 19}) {
      // Three steps of int8 noise, each of about 0.7 % of its vector's norm.
      const StoredMlp awq = make(256, 384, StoredFormat::int4_awq, 128, false);
      const auto x = normals(random_, n * 256);
      expect_rows_near(run_mlp(*backend_, awq, x, activation), run_mlp(*reference_, awq, x, activation), 256, 0.03f,
                       "awq");
      const StoredMlp native = make(256, 320, StoredFormat::int4_native, 64, true);
      expect_rows_near(run_mlp(*backend_, native, x, activation), run_mlp(*reference_, native, x, activation), 256,
                       0.03f, "native");
      const StoredMlp dense = make(256, 100, StoredFormat::bf16, 0, true);
      expect_rows_near(run_mlp(*backend_, dense, x, activation), run_mlp(*reference_, dense, x, activation), 256, 1e-5f,
                       "dense");
      StoredMlp mixed = native;
      mixed.up = random_linear(random_, {320, 256, StoredFormat::f16, 0}, 0, false);
      expect_rows_near(run_mlp(*backend_, mixed, x, activation), run_mlp(*reference_, mixed, x, activation), 256, 0.03f,
                       "mixed");
    }
  }
}

TEST_P(CpuLinear, MlpRowsDependOnNothingButThemselves) {
  const StoredMlp stored{random_linear(random_, {384, 256, StoredFormat::int4_awq, 128}, 8, false),
                         random_linear(random_, {384, 256, StoredFormat::int4_awq, 128}, 8, false),
                         random_linear(random_, {256, 384, StoredFormat::int4_awq, 128}, 8, false)};
  const auto x = normals(random_, 29 * 256);
  const auto together = run_mlp(*backend_, stored, x, Activation::silu);
  for (const int n_threads : {1, 2, 3}) {
    const auto other = cpu(GetParam(), n_threads);
    expect_bits(run_mlp(*other, stored, x, Activation::silu), together, "threads");
    for (const int64_t row : {0, 13, 28}) {
      expect_bits(run_mlp(*other, stored, rows_of(x, 256, row, 1), Activation::silu), rows_of(together, 256, row, 1),
                  "one row");
    }
  }
}

}  // namespace
}  // namespace paro::test
