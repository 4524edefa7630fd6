#include "cli/bandwidth.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "models/model.h"

namespace paro::cli {

BandwidthProbe::BandwidthProbe(int n_threads) : buffer_(kBytes, "the bandwidth probe"), threads_(n_threads) {
  // Written once, for the pages to be there in their own right.
  threads_.for_ranges(kBytes, 1 << 20, [&](int64_t begin, int64_t end) {
    std::fill(buffer_.data() + begin, buffer_.data() + end, std::byte{1});
  });
}

double BandwidthProbe::bytes_per_s() {
  // The limit is what the machine can do, so the fastest of a few passes counts.
  constexpr int kPasses = 4;
  double fastest = 0;
  for (int i = 0; i < kPasses; ++i) fastest = std::max(fastest, pass_bytes_per_s());
  return fastest;
}

double BandwidthProbe::pass_bytes_per_s() {
  // One core draws the most from memory when it reads several streams and asks ahead in each.
  constexpr int64_t kLine = 8, kStreams = 4, kAhead = 256;  // words
  constexpr int64_t kWords = 1 << 19;                       // of a piece
  const auto* words = reinterpret_cast<const uint64_t*>(buffer_.data());
  std::atomic<uint64_t> sum{0};
  const auto start = std::chrono::steady_clock::now();
  // Taken piece by piece by whichever thread is free, so that one that is held up holds up no other.
  threads_.for_each(kBytes / 8 / kWords, [&](int64_t piece) {
    uint64_t lanes[2 * kLine] = {};  // independent sums, so that additions do not wait for each other
    for (int64_t i = 0; i < kWords / kStreams; i += kLine) {
      for (int64_t stream = 0; stream < kStreams; ++stream) {
        const uint64_t* line = words + piece * kWords + stream * (kWords / kStreams) + i;
        __builtin_prefetch(line + kAhead);
        for (int64_t k = 0; k < kLine; ++k) lanes[stream % 2 * kLine + k] += line[k];
      }
    }
    uint64_t own = 0;
    for (const uint64_t lane : lanes) own += lane;
    sum += own;
  });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  // The sum is known, and needed: a loop whose result nobody looks at is no loop.
  PARO_CHECK(sum.load() == uint64_t(kBytes / 8) * 0x0101010101010101u, "the probe read {}", sum.load());
  return double(kBytes) / seconds;
}

namespace {

int64_t bytes_of(const Backend& backend, const MatrixLoad& m) { return m.expert ? 0 : backend.packed_bytes(m.spec); }
int64_t bytes_of(const Backend& backend, const RotationLoad& r) { return backend.packed_bytes(r.spec); }
int64_t bytes_of(const Backend& backend, const TableLoad& t) {
  if (t.is_head) return backend.head_bytes(t.spec, /*n_exact=*/1);
  return backend.packed_bytes(t.spec) / std::max<int64_t>(1, t.spec.rows);
}
int64_t bytes_of(const Backend&, const VectorLoad& v) { return v.stored->shape.n_elements() * 4; }
int64_t bytes_of(const Backend&, const ConstantLoad& c) { return int64_t(c.values.size()) * 4; }

}  // namespace

StepBytes step_bytes(const ModelRunner& runner, KvCache& cache, const EngineOptions& options, int n_sequences,
                     int n_context) {
  const Backend& backend = runner.backend();
  const ModelSpec& spec = runner.spec();
  const SafetensorsFiles files = SafetensorsFiles::open(options.model);
  WeightBinder binder(backend, runner.config(), &files, nullptr,
                      {.head_type = options.head_type.value_or(backend.default_head_type())});
  find_architecture(runner.config()).make(runner.config(), binder);

  StepBytes bytes;
  for (const WeightLoad& load : binder.loads()) {
    bytes.weights += double(std::visit([&](const auto& what) { return bytes_of(backend, what); }, load.what));
  }
  for (const ExpertRegion& region : binder.expert_regions()) {
    const double missed = std::pow(1.0 - double(spec.experts_per_token) / region.n_experts, n_sequences);
    bytes.experts += double(region.expert_bytes) * region.n_experts * (1 - missed);
  }
  for (const KvLayer& layer : cache.layers()) {
    const int n_seen = layer.kind == CacheKind::sliding ? std::min(n_context, spec.sliding_window) : n_context;
    bytes.kv += double(backend.page_bytes(layer.spec)) / kPageTokens * n_seen * n_sequences;
  }
  return bytes;
}

}  // namespace paro::cli
