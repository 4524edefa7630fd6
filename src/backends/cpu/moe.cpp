// The Mixture of Experts. Rows are routed, then sorted by expert; each (row, chosen expert) is a slot, and the slots of
// an expert lie together. Many slots: a thread takes an expert through gate, up and down while its activations stay in
// cache. Few slots: all threads share the blocks of all chosen experts. Experts are acquired in waves, so that any
// source suffices. The results of slots are added per row in top-k order.
#include <cstring>

#include "backends/cpu/backend_class.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/products.h"
#include "base/check.h"

namespace paro::cpu {
namespace {

// Slots that one thread takes through an expert together.
constexpr int64_t kItemSlots = kSpanTokens;

struct MoeScratch {
  QuantizedRows x;
  float* probabilities;   // [n_threads, n_experts]
  int32_t* chosen;        // [n, top_k] experts
  float* weights;         // [n, top_k]
  int32_t* slots;         // [n, top_k] slot of each choice
  int32_t* tokens;        // [n_slots] row of each slot
  int32_t* offsets;       // [n_experts + 1] first slot of each expert
  int32_t* cursors;       // [n_experts]
  float* out;             // [n_slots, hidden]
  float* h;               // [n_h_rows, intermediate]
  QuantizedRows x_tiles;  // [n_h_rows] inputs of slots
  QuantizedRows h_tiles;

  MoeScratch(const MoeArgs& args, int n_threads, Scratch& scratch) {
    const ExpertSpec& spec = args.experts.spec;
    const int64_t n = args.x.dim(0);
    const int64_t n_slots = n * args.top_k;
    x = take_quantized(scratch, n, spec.hidden, spec.gate().n_groups());
    probabilities = scratch.take<float>(n_threads * round_up(args.experts.n_experts, 16));
    chosen = scratch.take<int32_t>(n_slots);
    weights = scratch.take<float>(n_slots);
    slots = scratch.take<int32_t>(n_slots);
    tokens = scratch.take<int32_t>(n_slots);
    offsets = scratch.take<int32_t>(args.experts.n_experts + 1);
    cursors = scratch.take<int32_t>(args.experts.n_experts);
    out = scratch.take<float>(n_slots * spec.hidden);
    // All slots at once while they are shared, later an item's worth for each thread.
    const int64_t n_h_rows = n_slots <= shared_slots(n_threads) ? n_slots : n_threads * kItemSlots;
    h = scratch.take<float>(n_h_rows * spec.intermediate);
    x_tiles = take_tiled(scratch, n_h_rows, spec.hidden, spec.gate().n_groups());
    h_tiles = take_tiled(scratch, n_h_rows, spec.intermediate, spec.down().n_groups());
  }

  // Up to so many slots, threads share the blocks of experts.
  static int64_t shared_slots(int n_threads) { return 32 * int64_t(n_threads); }
};

// The experts of one row, best first, and their weights.
void route(const Kernels& kernels, const MoeArgs& args, int64_t row, float* probabilities, int32_t* chosen,
           float* weights) {
  const int n_experts = args.experts.n_experts;
  kernels.softmax(args.router_logits.f32() + row * n_experts, n_experts, probabilities);
  float sum = 0;
  for (int k = 0; k < args.top_k; ++k) {
    int best = -1;
    for (int e = 0; e < n_experts; ++e) {
      // Chosen ones are negative. A NaN wins nothing, and the first one left stands in.
      if (!(probabilities[e] < 0) && (best < 0 || probabilities[e] > probabilities[best])) best = e;
    }
    chosen[k] = best;
    weights[k] = probabilities[best];
    sum += weights[k];
    probabilities[best] = -1;
  }
  for (int k = 0; k < args.top_k; ++k) {
    if (args.renormalize) weights[k] /= sum;
    if (args.per_expert_scale.n > 0) weights[k] *= args.per_expert_scale.data[chosen[k]];
  }
}

// Slots in the order of experts, and of rows within each.
void sort_slots(const MoeArgs& args, const MoeScratch& s) {
  const int64_t n_slots = args.x.dim(0) * args.top_k;
  const int n_experts = args.experts.n_experts;
  std::memset(s.offsets, 0, size_t(n_experts + 1) * sizeof(int32_t));
  for (int64_t i = 0; i < n_slots; ++i) ++s.offsets[s.chosen[i] + 1];
  for (int e = 0; e < n_experts; ++e) {
    s.offsets[e + 1] += s.offsets[e];
    s.cursors[e] = s.offsets[e];
  }
  for (int64_t i = 0; i < n_slots; ++i) {
    const int32_t slot = s.cursors[s.chosen[i]]++;
    s.slots[i] = slot;
    s.tokens[slot] = int32_t(i / args.top_k);
  }
}

// Experts that are held together; given back whatever happens.
class Wave {
 public:
  explicit Wave(const Experts& experts) : experts_(experts) {}
  ~Wave() {
    for (int i = 0; i < n_; ++i) experts_.source->release(experts_.layer, experts_of_[i]);
  }
  Wave(const Wave&) = delete;
  Wave& operator=(const Wave&) = delete;

  void acquire(int expert) {
    packed_[n_] = experts_.source->acquire(experts_.layer, expert);
    experts_of_[n_++] = expert;
  }
  int size() const { return n_; }
  bool full() const { return n_ == kMaxHeldExperts; }
  int expert(int i) const { return experts_of_[i]; }
  const uint8_t* packed(int i) const { return reinterpret_cast<const uint8_t*>(packed_[i]); }

 private:
  const Experts& experts_;
  int n_ = 0;
  int experts_of_[kMaxHeldExperts] = {};
  const std::byte* packed_[kMaxHeldExperts] = {};
};

// Jobs of one packed expert over n slots.
class ExpertJobs {
 public:
  ExpertJobs(const MoeArgs& args, const MoeScratch& s) : args_(args), s_(s), layout_(args.experts.spec) {}

  const ExpertLayout& layout() const { return layout_; }

  GluJob glu(const uint8_t* packed, const QuantizedRows& x, int64_t n, float* h) const {
    GluJob job{};
    job.gate = packed;
    job.up = packed + layout_.gate.block_bytes();
    job.block_stride = 2 * layout_.gate.block_bytes();
    job.n_groups = layout_.gate.n_groups;
    job.group_size = args_.experts.spec.group_size;
    job.x_gate = x;
    job.x_up = x;
    job.n = n;
    job.activation = gate_of(args_.activation);
    job.y = h;
    job.y_stride = args_.experts.spec.intermediate;
    job.n_rows = args_.experts.spec.intermediate;
    return job;
  }
  QuantizeJob quantize(const float* h, int64_t n, const QuantizedRows& q) const {
    const ExpertSpec& spec = args_.experts.spec;
    return quantize_job(h, n, spec.intermediate, spec.group_size, args_.experts.down, q);
  }
  Int4Job down(const uint8_t* packed, int64_t begin, int64_t n, const QuantizedRows& q) const {
    return int4_job(args_.experts.spec.down(), reinterpret_cast<const std::byte*>(packed) + layout_.down_offset(), {},
                    q, n, s_.out + begin * args_.experts.spec.hidden);
  }

 private:
  const MoeArgs& args_;
  const MoeScratch& s_;
  const ExpertLayout layout_;
};

// Blocks in runs that stay in cache while all tokens pass.
template <typename Body>
void for_block_runs(int64_t n_blocks, int64_t block_bytes, Body&& body) {
  const int64_t step = std::max<int64_t>(2, kItemBytes / std::max<int64_t>(1, block_bytes) / 2 * 2);
  for (int64_t begin = 0; begin < n_blocks; begin += step) body(begin, std::min(begin + step, n_blocks));
}

}  // namespace

int64_t CpuBackend::scratch_bytes(const MoeArgs& args) const {
  Scratch scratch;
  MoeScratch(args, n_threads(), scratch);
  return scratch.used_bytes();
}

void CpuBackend::moe(const MoeArgs& args, std::span<std::byte> memory) {
  const Experts& experts = args.experts;
  const ExpertSpec& spec = experts.spec;
  const int64_t n = args.x.dim(0);
  if (n == 0) return;
  Scratch scratch(memory);
  const MoeScratch s(args, n_threads(), scratch);
  const ExpertJobs jobs(args, s);
  const ExpertLayout& layout = jobs.layout();

  const bool alone = n * args.top_k * layout.n_bytes() < kSmallWork;
  const QuantizeJob input = quantize_job(args.x.f32(), n, spec.hidden, spec.group_size, experts.gate_up, s.x);
  const Parts input_parts = quantize_parts(input, n_threads());
  const Parts route_parts(n, 4 * n_threads());
  Tickets input_tickets;
  run_threads(pool_, alone, [&](int thread, int) {
    input_tickets.run(input_parts.n_parts + route_parts.n_parts, [&](int64_t ticket) {
      // Routing goes first: with one row it is one ticket, and the rest is done meanwhile.
      if (ticket >= route_parts.n_parts) return run_part(kernels_, input, input_parts, ticket - route_parts.n_parts);
      for (int64_t row = route_parts.begin(ticket); row < route_parts.end(ticket); ++row) {
        route(kernels_, args, row, s.probabilities + thread * round_up(experts.n_experts, 16),
              s.chosen + row * args.top_k, s.weights + row * args.top_k);
      }
    });
  });
  sort_slots(args, s);

  const bool shared = n * args.top_k <= MoeScratch::shared_slots(n_threads());
  for (int next = 0; next < experts.n_experts;) {
    Wave wave(experts);
    int64_t n_items = 0;
    int64_t first_item[kMaxHeldExperts + 1] = {};
    for (; next < experts.n_experts && !wave.full(); ++next) {
      if (s.offsets[next] == s.offsets[next + 1]) continue;
      wave.acquire(next);
      n_items += ceil_div(s.offsets[next + 1] - s.offsets[next], kItemSlots);
      first_item[wave.size()] = n_items;
    }
    if (wave.size() == 0) break;

    if (!shared) {
      Tickets tickets;
      run_threads(pool_, alone, [&](int thread, int) {
        tickets.run(n_items, [&](int64_t item) {
          int i = 0;
          while (first_item[i + 1] <= item) ++i;
          const int64_t begin = s.offsets[wave.expert(i)] + (item - first_item[i]) * kItemSlots;
          const int64_t count = std::min<int64_t>(kItemSlots, s.offsets[wave.expert(i) + 1] - begin);
          float* h = s.h + thread * kItemSlots * spec.intermediate;
          const QuantizedRows x = from_row(s.x_tiles, thread * kItemSlots);
          const QuantizedRows q = from_row(s.h_tiles, thread * kItemSlots);
          kernels_.gather_tiles(s.x, spec.group_size, s.tokens + begin, int(count), x);
          const GluJob glu = jobs.glu(wave.packed(i), x, count, h);
          for_block_runs(layout.gate.n_blocks, 2 * layout.gate.block_bytes(),
                         [&](int64_t from, int64_t to) { kernels_.int4_glu(glu, from, to); });
          const QuantizeJob quantize = jobs.quantize(h, count, q);
          kernels_.quantize(quantize, 0, n_units(quantize));
          const Int4Job down = jobs.down(wave.packed(i), begin, count, q);
          for_block_runs(layout.down.n_blocks, layout.down.block_bytes(),
                         [&](int64_t from, int64_t to) { kernels_.int4_linear(down, from, to); });
        });
      });
      continue;
    }

    // Rows of h and of tiles are counted from the wave's first slot. An expert with one slot reads the token's own row.
    const int64_t first_slot = s.offsets[wave.expert(0)];
    const auto row_of = [&](int i) { return int64_t(s.offsets[wave.expert(i)] - first_slot); };
    const auto n_slots = [&](int i) { return int64_t(s.offsets[wave.expert(i) + 1] - s.offsets[wave.expert(i)]); };
    const auto input_of = [&](int i) {
      return n_slots(i) == 1 ? from_row(s.x, s.tokens[first_slot + row_of(i)]) : from_row(s.x_tiles, row_of(i));
    };
    const auto gather = [&](int i) {
      if (n_slots(i) == 1) return;
      for (int64_t k = 0; k < n_slots(i); k += kSpanTokens) {
        kernels_.gather_tiles(s.x, spec.group_size, s.tokens + first_slot + row_of(i) + k,
                              int(std::min<int64_t>(kSpanTokens, n_slots(i) - k)), from_row(s.x_tiles, row_of(i) + k));
      }
    };
    const Grid glu_grid(layout.gate.n_blocks, 2 * layout.gate.block_bytes(), 1, 2 * layout.gate.n_bytes() * wave.size(),
                        n_threads());
    const Grid down_grid(layout.down.n_blocks, layout.down.block_bytes(), 1, layout.down.n_bytes() * wave.size(),
                         n_threads());
    // Phases: inputs of experts with several slots, gate and up, their product quantized, down.
    const int64_t glu_begin = n > 1 ? wave.size() : 0;
    const int64_t quantize_begin = glu_begin + wave.size() * glu_grid.n_items();
    const int64_t down_begin = quantize_begin + wave.size();
    Tickets tickets;
    run_threads(pool_, alone, [&](int, int) {
      tickets.run(down_begin + wave.size() * down_grid.n_items(), [&](int64_t ticket) {
        if (ticket < glu_begin) return gather(int(ticket));
        if (ticket < quantize_begin) {
          tickets.wait(glu_begin);
          const int64_t item = ticket - glu_begin;
          const int i = int(item / glu_grid.n_items());
          const GluJob job = jobs.glu(wave.packed(i), input_of(i), n_slots(i), s.h + row_of(i) * spec.intermediate);
          return glu_grid.item(item % glu_grid.n_items(),
                               [&](int64_t from, int64_t to, int64_t, int64_t) { kernels_.int4_glu(job, from, to); });
        }
        if (ticket < down_begin) {
          tickets.wait(quantize_begin);
          const int i = int(ticket - quantize_begin);
          const QuantizeJob job =
              jobs.quantize(s.h + row_of(i) * spec.intermediate, n_slots(i), from_row(s.h_tiles, row_of(i)));
          return kernels_.quantize(job, 0, n_units(job));
        }
        tickets.wait(down_begin);
        const int64_t item = ticket - down_begin;
        const int i = int(item / down_grid.n_items());
        const Int4Job job =
            jobs.down(wave.packed(i), first_slot + row_of(i), n_slots(i), from_row(s.h_tiles, row_of(i)));
        down_grid.item(item % down_grid.n_items(),
                       [&](int64_t from, int64_t to, int64_t, int64_t) { kernels_.int4_linear(job, from, to); });
      });
    });
  }

  constexpr int64_t kColumns = 2048;
  const int64_t n_column_items = ceil_div(spec.hidden, kColumns);
  pool_.for_ranges(n * n_column_items, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / n_column_items;
      const int64_t column = i % n_column_items * kColumns;
      kernels_.weighted_sum(s.out + column, spec.hidden, s.slots + row * args.top_k, s.weights + row * args.top_k,
                            args.top_k, std::min(kColumns, spec.hidden - column),
                            args.y.f32() + row * spec.hidden + column);
    }
  });
}

}  // namespace paro::cpu
