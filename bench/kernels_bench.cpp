// Rates of the CPU backend's ops in physical units: GB/s of packed weights or cache read, Gop/s of integer operations
// (two for each multiply-add), on the geometries that decide. PARO_ISA and PARO_THREADS choose what runs. Weights are
// random and several times larger than caches where memory is meant to be the limit.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "base/float16.h"
#include "tensor/buffer.h"

namespace paro {
namespace {

Backend& backend() {
  static const auto instance = [] {
    const char* isa = std::getenv("PARO_ISA");
    const char* threads = std::getenv("PARO_THREADS");
    return make_cpu_backend({threads == nullptr ? 0 : std::atoi(threads), isa == nullptr ? "" : isa});
  }();
  return *instance;
}

// Bytes that are cheap to make and look random enough.
void fill(std::span<std::byte> bytes) {
  uint64_t x = 0x9e3779b97f4a7c15;
  for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    std::memcpy(bytes.data() + i, &x, 8);
  }
}

struct Stored {
  MatrixSpec spec;
  Buffer codes, zeros;
  std::vector<uint16_t> scales;
  MatrixPiece piece;

  explicit Stored(const MatrixSpec& s)
      : spec(s),
        codes(s.in * s.out / 2, "codes"),
        zeros(s.n_groups() * s.out / 2, "zeros"),
        scales(size_t(s.n_groups() * s.out), f32_to_f16(0.01f)) {
    fill(codes.bytes());
    fill(zeros.bytes());
    piece.n_rows = s.out;
    piece.n_cols = s.in;
    piece.codes = codes.data();
    piece.codes_stride = piece.zeros_stride = s.out / 2;
    piece.zeros = zeros.data();
    piece.scales = reinterpret_cast<const std::byte*>(scales.data());
    piece.scales_stride = s.out * 2;
  }
  int64_t n_bytes() const { return codes.n_bytes() + zeros.n_bytes() + int64_t(scales.size()) * 2; }
};

struct PackedRotation {
  RotationSpec spec;
  Buffer packed;

  explicit PackedRotation(const RotationSpec& s) : spec(s), packed(backend().packed_bytes(s), "rotation") {
    std::mt19937 random(1);
    std::vector<uint16_t> theta(size_t(s.krot * s.in / 2));
    std::vector<uint16_t> scales(size_t(s.in), f32_to_f16(1));
    std::vector<int16_t> pairs;
    for (auto& t : theta) t = f32_to_f16(float(random() % 1000) / 500 - 1);
    for (int64_t i = 0; i < s.krot * s.in / s.group_size; ++i) {
      std::vector<int16_t> channels(size_t(s.group_size), 0);
      for (size_t k = 0; k < channels.size(); ++k) channels[k] = int16_t(k);
      std::shuffle(channels.begin(), channels.end(), random);
      pairs.insert(pairs.end(), channels.begin(), channels.end());
    }
    backend().pack(s, {theta.data(), pairs.data(), scales.data()}, packed.data());
  }
  Rotation rotation() const { return {spec, packed.data()}; }
};

class Floats {
 public:
  explicit Floats(const Shape& shape) : shape_(shape), buffer_(shape.n_elements() * 4, "floats") {
    std::mt19937 random(2);
    for (int64_t i = 0; i < shape.n_elements(); ++i) tensor().f32()[i] = float(random() % 2001) / 1000 - 1;
  }
  Tensor tensor() const { return {DType::f32, shape_, buffer_.data()}; }

 private:
  Shape shape_;
  Buffer buffer_;
};

void count(benchmark::State& state, int64_t bytes, double operations) {
  const double n = double(state.iterations());
  state.counters["GB/s"] = benchmark::Counter(double(bytes) * n / 1e9, benchmark::Counter::kIsRate);
  state.counters["Gop/s"] = benchmark::Counter(operations * n / 1e9, benchmark::Counter::kIsRate);
}

// range: n, in, out, group
void int4_linear(benchmark::State& state) {
  const int64_t n = state.range(0);
  const MatrixSpec spec{state.range(2), state.range(1), StoredFormat::int4_awq, int(state.range(3))};
  const Stored stored(spec);
  const int64_t packed_bytes = backend().packed_bytes(spec);
  const int64_t n_copies = n <= 8 ? std::max<int64_t>(1, (int64_t(600) << 20) / packed_bytes) : 4;
  const Buffer packed(packed_bytes * n_copies, "weights");
  for (int64_t i = 0; i < n_copies; ++i) backend().pack(spec, stored.piece, packed.data() + i * packed_bytes);
  const PackedRotation rotation({spec.in, spec.group_size, 8});
  const Floats x({n, spec.in});
  const Floats y({n, spec.out});
  Linear linear{spec, packed.data(), rotation.rotation(), {}};
  const Linear* const weights[] = {&linear};
  const Tensor outputs[] = {y.tensor()};
  const LinearArgs args{x.tensor(), weights, outputs};
  const Buffer scratch(backend().scratch_bytes(args), "scratch");
  int64_t copy = 0;
  for (auto _ : state) {
    linear.packed = packed.data() + copy * packed_bytes;
    copy = (copy + 1) % n_copies;
    backend().linear(args, scratch.bytes());
  }
  count(state, packed_bytes + rotation.packed.n_bytes(), 2.0 * double(n * spec.in * spec.out));
}
BENCHMARK(int4_linear)
    ->ArgNames({"n", "in", "out", "g"})
    ->ArgsProduct({{1, 2, 4, 8, 32, 512}, {2816}, {4096}, {64}})
    ->ArgsProduct({{1, 2, 4, 8, 32, 512}, {2560}, {9728}, {128}})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

// range: n, hidden, intermediate, group
void int4_mlp(benchmark::State& state) {
  const int64_t n = state.range(0);
  const int group = int(state.range(3));
  const MatrixSpec up_spec{state.range(2), state.range(1), StoredFormat::int4_awq, group};
  const MatrixSpec down_spec{state.range(1), state.range(2), StoredFormat::int4_awq, group};
  const int64_t up_bytes = backend().packed_bytes(up_spec);
  const int64_t bytes = 2 * up_bytes + backend().packed_bytes(down_spec);
  const int64_t n_copies = n <= 8 ? 8 : 1;
  const Buffer packed(bytes * n_copies, "weights");
  for (int64_t i = 0; i < n_copies; ++i) {
    const Stored up(up_spec);
    const Stored down(down_spec);
    backend().pack(up_spec, up.piece, packed.data() + i * bytes);
    backend().pack(up_spec, up.piece, packed.data() + i * bytes + up_bytes);
    backend().pack(down_spec, down.piece, packed.data() + i * bytes + 2 * up_bytes);
  }
  const PackedRotation gate_rotation({up_spec.in, group, 8});
  const PackedRotation up_rotation({up_spec.in, group, 8});
  const PackedRotation down_rotation({down_spec.in, group, 8});
  const Floats x({n, up_spec.in});
  const Floats y({n, up_spec.in});
  Linear gate{up_spec, packed.data(), gate_rotation.rotation(), {}};
  Linear up{up_spec, packed.data() + up_bytes, up_rotation.rotation(), {}};
  Linear down{down_spec, packed.data() + 2 * up_bytes, down_rotation.rotation(), {}};
  const MlpArgs args{x.tensor(), gate, up, down, Activation::silu, y.tensor()};
  const Buffer scratch(backend().scratch_bytes(args), "scratch");
  int64_t copy = 0;
  for (auto _ : state) {
    gate.packed = packed.data() + copy * bytes;
    up.packed = gate.packed + up_bytes;
    down.packed = up.packed + up_bytes;
    copy = (copy + 1) % n_copies;
    backend().mlp(args, scratch.bytes());
  }
  count(state, bytes, 6.0 * double(n * up_spec.in * up_spec.out));
}
BENCHMARK(int4_mlp)
    ->ArgNames({"n", "in", "width", "g"})
    ->ArgsProduct({{1, 8, 512}, {2560}, {9728}, {128}})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

void pack_int4(benchmark::State& state) {
  const bool native = state.range(0) != 0;
  MatrixSpec spec{4096, 2816, native ? StoredFormat::int4_native : StoredFormat::int4_awq, 64};
  Stored stored(spec);
  std::vector<uint16_t> zeros(stored.scales);
  if (native) {
    stored.piece.codes_stride = spec.in * 2;
    stored.piece.zeros = reinterpret_cast<const std::byte*>(zeros.data());
    stored.piece.zeros_stride = spec.out * 2;
  }
  const Buffer packed(backend().packed_bytes(spec), "weights");
  for (auto _ : state) backend().pack(spec, stored.piece, packed.data());
  count(state, stored.n_bytes(), 0);
}
BENCHMARK(pack_int4)->ArgName("native")->Arg(0)->Arg(1)->UseRealTime()->Unit(benchmark::kMicrosecond);

void pack_table(benchmark::State& state) {
  const TableSpec spec{4096, 2816, StoredFormat::bf16, TableType::int8};
  const Buffer rows(spec.rows * spec.cols * 2, "rows");
  const Buffer packed(backend().packed_bytes(spec), "table");
  for (auto _ : state) backend().pack(spec, TablePiece{0, spec.rows, rows.data()}, packed.data());
  count(state, rows.n_bytes(), 0);
}
BENCHMARK(pack_table)->UseRealTime()->Unit(benchmark::kMicrosecond);

// The rotation alone: a product with few rows. range: n, group
void rotation(benchmark::State& state) {
  const int64_t n = state.range(0);
  const MatrixSpec spec{16, 2816, StoredFormat::int4_awq, int(state.range(1))};
  const Buffer packed(backend().packed_bytes(spec), "weights");
  const PackedRotation rotation({spec.in, spec.group_size, 8});
  const Floats x({n, spec.in});
  const Floats y({n, spec.out});
  const Linear linear{spec, packed.data(), rotation.rotation(), {}};
  const Linear* const weights[] = {&linear};
  const Tensor outputs[] = {y.tensor()};
  const LinearArgs args{x.tensor(), weights, outputs};
  const Buffer scratch(backend().scratch_bytes(args), "scratch");
  for (auto _ : state) backend().linear(args, scratch.bytes());
  state.counters["ns/group"] = benchmark::Counter(double(state.iterations() * n * spec.n_groups()) / 1e9,
                                                  benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(rotation)->ArgNames({"n", "g"})->ArgsProduct({{1, 4, 8, 512}, {64, 128}})->UseRealTime();

// range: n, context, heads, key heads, head_dim, type
void attention(benchmark::State& state) {
  const int64_t n = state.range(0);
  const int64_t context = state.range(1);
  const KvSpec spec{int(state.range(3)), int(state.range(4)), KvType(state.range(5))};
  const int64_t n_blocks = context / kPageTokens;
  const int64_t n_copies = std::max<int64_t>(1, (int64_t(400) << 20) / (n_blocks * backend().page_bytes(spec)));
  const Buffer pages(n_blocks * n_copies * backend().page_bytes(spec), "pages");
  std::vector<int32_t> table(size_t(n_blocks * n_copies));
  for (size_t i = 0; i < table.size(); ++i) table[i] = int32_t(i);
  std::vector<int32_t> positions, sequences;
  for (int64_t i = context - n; i < context; ++i) positions.push_back(int32_t(i));
  sequences.resize(size_t(n));
  Batch batch;
  batch.positions = positions;
  batch.sequences = sequences;
  const Floats q({n, state.range(2), spec.head_dim});
  const Floats y({n, state.range(2), spec.head_dim});
  const KvLayer layer{spec, CacheKind::full, pages.data()};
  const AttentionArgs args{q.tensor(), layer, batch, 0.1f, 0, int(context), y.tensor()};
  const Buffer scratch(backend().scratch_bytes(args), "scratch");
  int64_t copy = 0;
  for (auto _ : state) {
    batch.tables[0] = {table.data() + copy * n_blocks, n_blocks};
    copy = (copy + 1) % n_copies;
    backend().attention(args, scratch.bytes());
  }
  const double keys = n == 1 ? double(context) : double(n) * double(2 * context - n) / 2;
  count(state, n_blocks * backend().page_bytes(spec), 4 * keys * double(state.range(2) * spec.head_dim));
}
BENCHMARK(attention)
    ->ArgNames({"n", "context", "heads", "kv", "dim", "type"})
    ->ArgsProduct({{1, 512}, {4096}, {16}, {2}, {512}, {1, 2}})
    ->ArgsProduct({{1, 512}, {4096}, {32}, {8}, {128}, {1, 2}})
    ->ArgsProduct({{512}, {512}, {16}, {8}, {256}, {1}})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

void head(benchmark::State& state) {
  const int64_t n = state.range(0);
  const TableSpec spec{131072, 2816, StoredFormat::bf16, TableType::int8};
  const Buffer packed(backend().packed_bytes(spec), "table");
  const Floats x({n, spec.cols});
  const Floats y({n, spec.rows});
  const Table table{spec, packed.data()};
  const HeadArgs args{x.tensor(), table, 30.0f, y.tensor()};
  const Buffer scratch(backend().scratch_bytes(args), "scratch");
  for (auto _ : state) backend().head(args, scratch.bytes());
  count(state, packed.n_bytes(), 2.0 * double(n * spec.rows * spec.cols));
}
BENCHMARK(head)->ArgName("n")->Arg(1)->Arg(4)->UseRealTime()->Unit(benchmark::kMicrosecond);

void router(benchmark::State& state) {
  const int64_t n = state.range(0);
  const MatrixSpec spec{128, 2816, StoredFormat::bf16, 0};
  const Buffer packed(backend().packed_bytes(spec), "weights");
  const Floats x({n, spec.in});
  const Floats y({n, spec.out});
  const Linear linear{spec, packed.data(), {}, {}};
  const Linear* const weights[] = {&linear};
  const Tensor outputs[] = {y.tensor()};
  const LinearArgs args{x.tensor(), weights, outputs};
  for (auto _ : state) backend().linear(args, {});
  count(state, packed.n_bytes(), 2.0 * double(n * spec.in * spec.out));
}
BENCHMARK(router)->ArgName("n")->Arg(1)->Arg(512)->UseRealTime()->Unit(benchmark::kMicrosecond);

class Resident final : public ExpertSource {
 public:
  Resident(const ExpertSpec& spec, int n_packed)
      : bytes_(backend().packed_bytes(spec)), n_packed_(n_packed), packed_(bytes_ * n_packed, "experts") {
    const Stored gate(spec.gate());
    const Stored down(spec.down());
    for (int e = 0; e < n_packed; ++e) {
      backend().pack(spec, ExpertPart::gate, gate.piece, packed_.data() + e * bytes_);
      backend().pack(spec, ExpertPart::up, gate.piece, packed_.data() + e * bytes_);
      backend().pack(spec, ExpertPart::down, down.piece, packed_.data() + e * bytes_);
    }
  }
  bool is_streamed() const override { return false; }
  void request(int, std::span<const int32_t>, int64_t) override {}
  void expect(int, std::span<const int32_t>, int64_t) override {}
  int hold(int, std::span<int32_t> experts, std::span<const std::byte*> packed) override {
    const size_t n = std::min(experts.size(), packed.size());
    for (size_t i = 0; i < n; ++i) packed[i] = packed_.data() + experts[i] % n_packed_ * bytes_;
    return int(n);
  }
  void release(int, std::span<const int32_t>) override {}
  int64_t expert_bytes() const { return bytes_; }

 private:
  int64_t bytes_;
  int n_packed_;
  Buffer packed_;
};

// The experts of Gemma 4 26B-A4B, as many of them as one layer has, in the memory of 96.
void moe(benchmark::State& state) {
  const int64_t n = state.range(0);
  const ExpertSpec spec{2816, 704, StoredFormat::int4_awq, 64};
  constexpr int kExperts = 128;
  constexpr int kTopK = 8;
  static Resident source(spec, 96);
  const PackedRotation gate_up({spec.hidden, spec.group_size, 8});
  const PackedRotation down({spec.intermediate, spec.group_size, 8});
  Experts experts;
  experts.spec = spec;
  experts.n_experts = kExperts;
  experts.gate_up = gate_up.rotation();
  experts.down = down.rotation();
  experts.source = &source;
  const Floats x({n, spec.hidden});
  const Floats y({n, spec.hidden});
  const Floats logits({n, kExperts});
  std::vector<int32_t> chosen(size_t(n * kTopK));
  const Tensor choice{DType::i32, {n, kTopK}, reinterpret_cast<std::byte*>(chosen.data())};
  const Floats weights({n, kTopK});
  const RouteArgs route{logits.tensor(), experts, true, Vector{}, choice, weights.tensor()};
  const MoeArgs args{x.tensor(), choice, weights.tensor(), experts, Activation::gelu_tanh, y.tensor()};
  const Buffer scratch(std::max(backend().scratch_bytes(args), backend().scratch_bytes(route)), "scratch");
  std::mt19937 random(3);
  for (auto _ : state) {
    state.PauseTiming();
    for (int64_t i = 0; i < n * kExperts; ++i) logits.tensor().f32()[i] = float(random() % 100000) / 10000;
    state.ResumeTiming();
    backend().route(route, scratch.bytes());
    backend().moe(args, scratch.bytes());
  }
  count(state, std::min<int64_t>(n * kTopK, kExperts) * source.expert_bytes(),
        6.0 * double(n * kTopK * spec.hidden * spec.intermediate));
}
BENCHMARK(moe)->ArgName("n")->Arg(1)->Arg(4)->Arg(16)->Arg(128)->Arg(512)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace paro
