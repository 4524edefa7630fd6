#include "cli/random_tensors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/float16.h"

namespace paro::cli {
namespace {

using Sink = std::function<void(std::span<const std::byte>)>;

// SplitMix64: one multiplication chain for eight bytes, faster than any disk.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  double uniform() { return double(next() >> 11) * 0x1p-53; }  // [0, 1)
  double normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(2 * std::numbers::pi * uniform()); }

 private:
  uint64_t state_;
};

uint64_t hash(std::string_view text, uint64_t seed) {
  uint64_t h = 0xcbf29ce484222325u ^ seed * 0x9e3779b97f4a7c15u;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return h;
}

// Passes on n_bytes in pieces; `fill_words` makes the eight-byte words of each.
template <typename FillWords>
void in_pieces(int64_t n_bytes, const Sink& sink, FillWords fill_words) {
  constexpr int64_t kWords = 1 << 16;
  std::vector<uint64_t> words(size_t(std::min(kWords, n_bytes / 8 + 1)));
  for (int64_t done = 0; done < n_bytes;) {
    const int64_t n = std::min<int64_t>(n_bytes - done, int64_t(words.size()) * 8);
    fill_words(std::span(words).first(size_t((n + 7) / 8)));
    sink(std::as_bytes(std::span(words)).first(size_t(n)));
    done += n;
  }
}

uint32_t encode(DType dtype, float value) {
  switch (dtype) {
    case DType::f16:
      return f32_to_f16(value);
    case DType::bf16:
      return f32_to_bf16(value);
    default: {
      PARO_CHECK(dtype == DType::f32, "{}", to_string(dtype));
      uint32_t bits = 0;
      std::memcpy(&bits, &value, 4);
      return bits;
    }
  }
}

// Elements mean + sd * normal, drawn from a table of such values in the stored type.
void fill_normal(const WantedTensor& tensor, double mean, double sd, Random random, const Sink& sink) {
  std::array<uint64_t, 4096> table;
  for (uint64_t& entry : table) entry = encode(tensor.dtype, float(mean + sd * random.normal()));
  const int bits = int(size_bytes(tensor.dtype)) * 8;
  in_pieces(tensor.shape.n_elements() * size_bytes(tensor.dtype), sink, [&](std::span<uint64_t> words) {
    for (uint64_t& word : words) {
      uint64_t draw = random.next();
      word = 0;
      for (int shift = 0; shift < 64; shift += bits, draw >>= 12) word |= table[draw & 0xfff] << shift;
    }
  });
}

// Each 4-bit code is uniform over `mask` and above `base`, which hold one nibble sixteen times.
void fill_codes(const WantedTensor& tensor, uint64_t mask, uint64_t base, Random random, const Sink& sink) {
  in_pieces(tensor.shape.n_elements() * size_bytes(tensor.dtype), sink, [&](std::span<uint64_t> words) {
    for (uint64_t& word : words) word = (random.next() & mask) + base;
  });
}

// A random permutation of each group, in every round.
void fill_pairs(const WantedTensor& tensor, int group_size, Random random, const Sink& sink) {
  std::vector<int16_t> group(static_cast<size_t>(group_size));
  for (int64_t i = 0; i < tensor.shape.n_elements(); i += group_size) {
    std::iota(group.begin(), group.end(), int16_t(0));
    for (size_t n = group.size(); n > 1; --n) std::swap(group[n - 1], group[random.next() % n]);
    sink(std::as_bytes(std::span(group)));
  }
}

// Vectors that are not near 1 in models as they are trained.
struct VectorRule {
  std::string_view model_type, suffix;
  double power;  // the elements are near (elements of the vector)^power
};
constexpr VectorRule kVectorRules[] = {
    {"gemma4_text", "self_attn.k_norm.weight", -0.5},  // attention is not scaled
    {"gemma4_text", "router.scale", 0.5},              // the router divides by it; else all experts weigh the same
    {"gemma4_text", "layer_scalar", 0},
};

}  // namespace

void RandomTensors::fill(const WantedTensor& tensor, const Sink& sink) const {
  const Random random(hash(tensor.name, seed));
  const double in = double(tensor.shape.last());
  switch (tensor.part) {
    case TensorPart::codes:
      return fill_codes(tensor, ~uint64_t(0), 0, random, sink);
    case TensorPart::zeros:  // 6 to 9
      return fill_codes(tensor, 0x3333333333333333u, 0x6666666666666666u, random, sink);
    case TensorPart::scales:
      PARO_CHECK(tensor.shape.rank() == 2, "'{}'", tensor.name);
      // A code less its zero point has a deviation of 4.7; there are group_size inputs for each row of scales.
      return fill_normal(tensor, 0.21 / std::sqrt(double(tensor.shape[0] * group_size)),
                         0.02 / std::sqrt(double(tensor.shape[0] * group_size)), random, sink);
    case TensorPart::theta:
      return fill_normal(tensor, 0, 0.2, random, sink);
    case TensorPart::pairs:
      return fill_pairs(tensor, group_size, random, sink);
    case TensorPart::channel_scales:
      return fill_normal(tensor, 1, 0.1, random, sink);
    case TensorPart::matrix:
    case TensorPart::table:
      return fill_normal(tensor, 0, 1 / std::sqrt(in), random, sink);
    case TensorPart::vector: {
      double mean = 1;
      for (const VectorRule& rule : kVectorRules) {
        if (rule.model_type == model_type && tensor.name.ends_with(rule.suffix)) mean = std::pow(in, rule.power);
      }
      const double sd = tensor.shape.n_elements() == 1 ? 0 : 0.05 * mean;
      return fill_normal(tensor, mean - double(tensor.plus), sd, random, sink);
    }
  }
}

}  // namespace paro::cli
