// What op tests share: random stored weights, memory with guard bytes, and the comparison of a backend with the
// reference. Every test body runs on every instruction set of this machine.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/reference/reference_backend.h"
#include "base/float16.h"
#include "ops/backend.h"
#include "paroquant/decode.h"
#include "tensor/buffer.h"

namespace paro::test {

using Random = std::mt19937;

inline float normal(Random& random, float sigma = 1) { return std::normal_distribution<float>(0, sigma)(random); }
inline std::vector<float> normals(Random& random, int64_t n, float sigma = 1) {
  std::vector<float> v(size_t(n), 0.0f);
  for (float& x : v) x = normal(random, sigma);
  return v;
}

// Memory between guard bytes, filled with bytes that are NaN as float, f16 and bf16.
class Guarded {
 public:
  explicit Guarded(int64_t n_bytes) : n_bytes_(n_bytes), buffer_(kGuard * 2 + n_bytes, "a test") {
    std::memset(buffer_.data(), 0xff, size_t(buffer_.n_bytes()));
  }
  ~Guarded() {
    for (int64_t i = 0; i < kGuard; ++i) {
      EXPECT_EQ(buffer_.data()[i], std::byte{0xff}) << "written " << kGuard - i << " bytes before its start";
      EXPECT_EQ(data()[n_bytes_ + i], std::byte{0xff}) << "written " << i << " bytes past its end";
    }
  }
  std::byte* data() { return buffer_.data() + kGuard; }
  std::span<std::byte> bytes() { return {data(), size_t(n_bytes_)}; }

 private:
  static constexpr int64_t kGuard = 256;
  int64_t n_bytes_;
  Buffer buffer_;
};

// An output tensor between guard bytes.
class Output {
 public:
  explicit Output(const Shape& shape) : shape_(shape), memory_(shape.n_elements() * 4) {}
  Tensor tensor() { return {DType::f32, shape_, memory_.data()}; }
  std::vector<float> values() {
    const auto* begin = reinterpret_cast<const float*>(memory_.data());
    return {begin, begin + shape_.n_elements()};
  }

 private:
  Shape shape_;
  Guarded memory_;
};

inline Tensor view(std::vector<float>& values, const Shape& shape) {
  return {DType::f32, shape, reinterpret_cast<std::byte*>(values.data())};
}
inline Vector view(const std::vector<float>& values) { return {values.data(), int64_t(values.size())}; }

// A stored matrix with its bytes.
struct Matrix {
  MatrixSpec spec;
  std::vector<std::byte> codes, scales, zeros;
  MatrixPiece piece;
};

inline Matrix random_matrix(Random& random, const MatrixSpec& spec) {
  Matrix m{spec, {}, {}, {}, {}};
  const auto out = size_t(spec.out);
  const auto in = size_t(spec.in);
  const auto groups = size_t(spec.n_groups());
  m.piece.n_rows = spec.out;
  m.piece.n_cols = spec.in;
  const auto fill_bytes = [&](std::vector<std::byte>& v, size_t n) {
    v.resize(n);
    for (auto& b : v) b = std::byte(random());
  };
  const auto fill_halves = [&](std::vector<std::byte>& v, size_t n, auto&& value) {
    v.resize(2 * n);
    for (size_t i = 0; i < n; ++i) {
      const uint16_t h = value();
      std::memcpy(v.data() + 2 * i, &h, 2);
    }
  };
  std::uniform_real_distribution<float> uniform(0.5f, 1.5f);
  if (spec.stored == StoredFormat::int4_awq) {
    fill_bytes(m.codes, in * out / 2);
    fill_bytes(m.zeros, groups * out / 2);
    m.piece.codes_stride = m.piece.zeros_stride = spec.out / 2;
  } else if (spec.stored == StoredFormat::int4_native) {
    fill_bytes(m.codes, in * out / 2);
    fill_halves(m.zeros, groups * out, [&] { return f32_to_f16(0.01f * uniform(random) * float(random() % 16)); });
    m.piece.codes_stride = spec.in * 2;
    m.piece.zeros_stride = spec.out * 2;
  } else if (spec.stored == StoredFormat::f32) {
    const auto values = normals(random, spec.out * spec.in, 0.05f);
    m.codes.resize(values.size() * 4);
    std::memcpy(m.codes.data(), values.data(), m.codes.size());
    m.piece.codes_stride = spec.in * 4;
  } else {
    const bool f16 = spec.stored == StoredFormat::f16;
    fill_halves(m.codes, in * out,
                [&] { return f16 ? f32_to_f16(normal(random, 0.05f)) : f32_to_bf16(normal(random, 0.05f)); });
    m.piece.codes_stride = spec.in * 2;
  }
  if (is_int4(spec.stored)) {
    fill_halves(m.scales, groups * out, [&] { return f32_to_f16(0.01f * uniform(random)); });
    m.piece.scales_stride = spec.out * 2;
  }
  m.piece.codes = m.codes.data();
  m.piece.scales = m.scales.data();
  m.piece.zeros = m.zeros.data();
  return m;
}

struct Turn {
  RotationSpec spec;
  std::vector<uint16_t> theta, channel_scales;
  std::vector<int16_t> pairs;
  StoredRotation stored;
};

inline Turn random_turn(Random& random, const RotationSpec& spec) {
  Turn turn{spec, {}, {}, {}, {}};
  for (int round = 0; round < spec.krot; ++round) {
    for (int64_t i = 0; i < spec.in / 2; ++i) turn.theta.push_back(f32_to_f16(normal(random)));
    for (int64_t group = 0; group < spec.in; group += spec.group_size) {
      std::vector<int16_t> channels(size_t(spec.group_size), 0);
      for (size_t i = 0; i < channels.size(); ++i) channels[i] = int16_t(i);
      std::shuffle(channels.begin(), channels.end(), random);
      turn.pairs.insert(turn.pairs.end(), channels.begin(), channels.end());
    }
  }
  std::uniform_real_distribution<float> uniform(0.5f, 1.5f);
  for (int64_t i = 0; i < spec.in; ++i) turn.channel_scales.push_back(f32_to_f16(uniform(random)));
  turn.stored = {turn.theta.data(), turn.pairs.data(), turn.channel_scales.data()};
  return turn;
}

// A stored linear, which each backend packs for itself.
struct StoredLinear {
  Matrix matrix;
  Turn turn;
  std::vector<float> bias;
};

inline StoredLinear random_linear(Random& random, const MatrixSpec& spec, int krot, bool bias) {
  const RotationSpec rotation{spec.in, spec.group_size, is_int4(spec.stored) ? krot : 0};
  return {random_matrix(random, spec), random_turn(random, rotation),
          bias ? normals(random, spec.out) : std::vector<float>{}};
}

class PackedLinear {
 public:
  PackedLinear(const Backend& backend, const StoredLinear& stored)
      : matrix_(backend.packed_bytes(stored.matrix.spec)), rotation_(backend.packed_bytes(stored.turn.spec)) {
    std::memset(matrix_.data(), 0, matrix_.bytes().size());
    backend.pack(stored.matrix.spec, stored.matrix.piece, matrix_.data());
    backend.pack(stored.turn.spec, stored.turn.stored, rotation_.data());
    linear.spec = stored.matrix.spec;
    linear.packed = matrix_.data();
    linear.rotation = {stored.turn.spec, rotation_.data()};
    linear.bias = view(stored.bias);
  }
  Linear linear;
  Guarded& matrix() { return matrix_; }

 private:
  Guarded matrix_;
  Guarded rotation_;
};

inline std::vector<float> rows_of(const std::vector<float>& x, int64_t cols, int64_t begin, int64_t n) {
  return {x.begin() + begin * cols, x.begin() + (begin + n) * cols};
}

inline std::vector<float> run_linear(Backend& backend, const Linear& linear, std::vector<float> x) {
  const int64_t n = int64_t(x.size()) / linear.spec.in;
  Output y({n, linear.spec.out});
  const Linear* const weights[] = {&linear};
  const Tensor outputs[] = {y.tensor()};
  const LinearArgs args{view(x, {n, linear.spec.in}), weights, outputs};
  Guarded scratch(backend.scratch_bytes(args));
  backend.linear(args, scratch.bytes());
  return y.values();
}

inline std::unique_ptr<Backend> cpu(const std::string& isa, int n_threads = 2) {
  return make_cpu_backend({n_threads, isa});
}

inline void expect_bits(const std::vector<float>& actual, const std::vector<float>& expected, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(actual[i]), std::bit_cast<uint32_t>(expected[i]))
        << what << ": element " << i << " is " << actual[i] << ", expected " << expected[i];
  }
}

// Elements within absolute + relative * |expected|.
inline void expect_near(const std::vector<float>& actual, const std::vector<float>& expected, float absolute,
                        float relative, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t i = 0; i < actual.size(); ++i) {
    const float tolerance = absolute + relative * std::fabs(expected[i]);
    // Written so that NaN fails.
    ASSERT_TRUE(std::fabs(actual[i] - expected[i]) <= tolerance)
        << what << ": element " << i << " is " << actual[i] << ", expected " << expected[i] << " within " << tolerance;
  }
}

// Rows whose error has at most `relative` of the expected norm.
inline void expect_rows_near(const std::vector<float>& actual, const std::vector<float>& expected, int64_t cols,
                             float relative, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t row = 0; row < actual.size(); row += size_t(cols)) {
    double error = 0;
    double norm = 0;
    for (size_t i = row; i < row + size_t(cols); ++i) {
      error += std::pow(double(actual[i]) - expected[i], 2);
      norm += std::pow(double(expected[i]), 2);
    }
    ASSERT_TRUE(std::sqrt(error) <= relative * std::sqrt(norm) + 1e-12)
        << what << ": row " << row / size_t(cols) << " is off by " << std::sqrt(error / norm)
        << " of its norm, allowed " << relative;
  }
}

class CpuOps : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Backend> backend_ = cpu(GetParam());
  std::unique_ptr<Backend> reference_ = make_reference_backend();
  Random random_{20240607};
};

#define PARO_FOR_EVERY_ISA(suite)                                                    \
  INSTANTIATE_TEST_SUITE_P(EveryIsa, suite, ::testing::ValuesIn(::paro::cpu_isas()), \
                           [](const auto& isa) { return isa.param; })

}  // namespace paro::test
