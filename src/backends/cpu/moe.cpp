// The Mixture of Experts. Rows are sorted by expert: each (row, chosen expert) is a slot, and the slots of an expert
// lie together. Many slots: a thread takes an expert through gate, up and down while its activations stay in cache. Few
// slots: all threads share the blocks of all chosen experts. Experts are held in waves, those first that are there, so
// that any source suffices. The results of slots are added per row in top-k order, whatever the order of the waves.
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
  int32_t* slots;         // [n, top_k] slot of each choice
  int32_t* tokens;        // [n_slots] row of each slot
  int32_t* offsets;       // [n_experts + 1] first slot of each expert
  int32_t* cursors;       // [n_experts]
  int32_t* experts;       // [n_experts] that have slots and are not through yet
  float* out;             // [n_slots, hidden]
  int64_t n_h_rows;       // activations that are held at once
  float* h;               // [n_h_rows, intermediate]
  QuantizedRows x_tiles;  // [n_h_rows] inputs of slots
  QuantizedRows h_tiles;

  MoeScratch(const MoeArgs& args, int n_threads, Scratch& scratch) {
    const ExpertSpec& spec = args.experts.spec;
    const int64_t n = args.x.dim(0);
    const int64_t n_slots = args.chosen.n_elements();
    x = take_quantized(scratch, n, spec.hidden, spec.gate().n_groups());
    slots = scratch.take<int32_t>(n_slots);
    tokens = scratch.take<int32_t>(n_slots);
    offsets = scratch.take<int32_t>(args.experts.n_experts + 1);
    cursors = scratch.take<int32_t>(args.experts.n_experts);
    experts = scratch.take<int32_t>(args.experts.n_experts);
    out = scratch.take<float>(n_slots * spec.hidden);
    // All slots at once while they are shared, later an item's worth for each thread.
    n_h_rows = n_slots <= shared_slots(n_threads) ? n_slots : n_threads * kItemSlots;
    h = scratch.take<float>(n_h_rows * spec.intermediate);
    x_tiles = take_tiled(scratch, n_h_rows, spec.hidden, spec.gate().n_groups());
    h_tiles = take_tiled(scratch, n_h_rows, spec.intermediate, spec.down().n_groups());
  }

  // Up to so many slots, threads share the blocks of experts.
  static int64_t shared_slots(int n_threads) { return 32 * int64_t(n_threads); }
};

// Slots in the order of experts, and of rows within each. Returns how many experts have some.
int sort_slots(const MoeArgs& args, const MoeScratch& s) {
  const int64_t n_slots = args.chosen.n_elements();
  const int64_t top_k = args.chosen.dim(1);
  const int32_t* chosen = args.chosen.i32();
  const int n_experts = args.experts.n_experts;
  std::memset(s.offsets, 0, size_t(n_experts + 1) * sizeof(int32_t));
  for (int64_t i = 0; i < n_slots; ++i) ++s.offsets[chosen[i] + 1];
  int n_used = 0;
  for (int e = 0; e < n_experts; ++e) {
    if (s.offsets[e + 1] > 0) s.experts[n_used++] = e;
    s.offsets[e + 1] += s.offsets[e];
    s.cursors[e] = s.offsets[e];
  }
  for (int64_t i = 0; i < n_slots; ++i) {
    const int32_t slot = s.cursors[chosen[i]]++;
    s.slots[i] = slot;
    s.tokens[slot] = int32_t(i / top_k);
  }
  return n_used;
}

// Experts that are held together; given back whatever happens.
class Wave {
 public:
  // Takes from the front of what is left.
  Wave(const Experts& experts, std::span<int32_t>& left, const MoeScratch& s) : experts_(experts), s_(s) {
    size_ = experts.source->hold(experts.layer, left, packed_);
    held_ = left.first(size_t(size_));
    left = left.subspan(size_t(size_));
    for (int i = 0; i < size_; ++i) {
      first_row_[i + 1] = first_row_[i] + n_slots(i);
      first_item_[i + 1] = first_item_[i] + ceil_div(n_slots(i), kItemSlots);
    }
  }
  ~Wave() { experts_.source->release(experts_.layer, held_); }
  Wave(const Wave&) = delete;
  Wave& operator=(const Wave&) = delete;

  int size() const { return size_; }
  const uint8_t* packed(int i) const { return reinterpret_cast<const uint8_t*>(packed_[i]); }
  int64_t n_slots(int i) const { return s_.offsets[held_[size_t(i)] + 1] - first_slot(i); }
  int64_t first_slot(int i) const { return s_.offsets[held_[size_t(i)]]; }
  const int32_t* tokens(int i) const { return s_.tokens + first_slot(i); }
  // Rows of the wave's own activations.
  int64_t first_row(int i) const { return first_row_[i]; }

  // Slots in pieces for one thread each.
  struct Item {
    int expert;     // of the wave
    int64_t begin;  // slot
    int64_t n;
  };
  int64_t n_rows() const { return first_row_[size_]; }
  int64_t n_items() const { return first_item_[size_]; }
  Item item(int64_t index) const {
    int i = 0;
    while (first_item_[i + 1] <= index) ++i;
    const int64_t begin = (index - first_item_[i]) * kItemSlots;
    return {i, first_slot(i) + begin, std::min(kItemSlots, n_slots(i) - begin)};
  }

 private:
  const Experts& experts_;
  const MoeScratch& s_;
  int size_ = 0;
  std::span<const int32_t> held_;
  const std::byte* packed_[kMaxHeldExperts] = {};
  int64_t first_row_[kMaxHeldExperts + 1] = {};
  int64_t first_item_[kMaxHeldExperts + 1] = {};
};

// Blocks in runs that stay in cache while all tokens pass.
template <typename Body>
void for_block_runs(int64_t n_blocks, int64_t block_bytes, Body&& body) {
  const int64_t step = std::max<int64_t>(2, kItemBytes / std::max<int64_t>(1, block_bytes) / 2 * 2);
  for (int64_t begin = 0; begin < n_blocks; begin += step) body(begin, std::min(begin + step, n_blocks));
}

// How the waves of one op are run.
class WaveRunner {
 public:
  WaveRunner(const Kernels& kernels, ThreadPool& pool, bool alone, const MoeArgs& args, const MoeScratch& s)
      : kernels_(kernels), pool_(pool), alone_(alone), args_(args), s_(s), layout_(args.experts.spec) {}

  // Each piece of an expert's slots by one thread, from its inputs to its outputs.
  void run_apart(const Wave& wave) const {
    const ExpertSpec& spec = args_.experts.spec;
    Tickets tickets;
    run_threads(pool_, alone_, [&](int thread, int) {
      tickets.run(wave.n_items(), [&](int64_t index) {
        const Wave::Item item = wave.item(index);
        float* h = s_.h + thread * kItemSlots * spec.intermediate;
        const QuantizedRows x = from_row(s_.x_tiles, thread * kItemSlots);
        const QuantizedRows q = from_row(s_.h_tiles, thread * kItemSlots);
        kernels_.gather_tiles(s_.x, spec.group_size, s_.tokens + item.begin, int(item.n), x);
        const GluJob glu = glu_job(wave.packed(item.expert), x, item.n, h);
        for_block_runs(layout_.gate.n_blocks, 2 * layout_.gate.block_bytes(),
                       [&](int64_t from, int64_t to) { kernels_.int4_glu(glu, from, to); });
        const QuantizeJob quantize = h_job(h, item.n, q);
        kernels_.quantize(quantize, 0, n_units(quantize));
        const Int4Job down = down_job(wave.packed(item.expert), item.begin, item.n, q);
        for_block_runs(layout_.down.n_blocks, layout_.down.block_bytes(),
                       [&](int64_t from, int64_t to) { kernels_.int4_linear(down, from, to); });
      });
    });
  }

  // All experts by all threads, block by block. Phases: inputs of experts with several slots, gate and up, their
  // product quantized, down. An expert with one slot reads the token's own row.
  void run_shared(const Wave& wave) const {
    const ExpertSpec& spec = args_.experts.spec;
    const auto input_of = [&](int i) {
      return wave.n_slots(i) == 1 ? from_row(s_.x, wave.tokens(i)[0]) : from_row(s_.x_tiles, wave.first_row(i));
    };
    const auto gather = [&](int i) {
      if (wave.n_slots(i) == 1) return;
      for (int64_t k = 0; k < wave.n_slots(i); k += kSpanTokens) {
        kernels_.gather_tiles(s_.x, spec.group_size, wave.tokens(i) + k,
                              int(std::min<int64_t>(kSpanTokens, wave.n_slots(i) - k)),
                              from_row(s_.x_tiles, wave.first_row(i) + k));
      }
    };
    const Grid glu_grid(layout_.gate.n_blocks, 2 * layout_.gate.block_bytes(), 1,
                        2 * layout_.gate.n_bytes() * wave.size(), pool_.n_threads());
    const Grid down_grid(layout_.down.n_blocks, layout_.down.block_bytes(), 1, layout_.down.n_bytes() * wave.size(),
                         pool_.n_threads());
    const int64_t glu_begin = args_.x.dim(0) > 1 ? wave.size() : 0;
    const int64_t quantize_begin = glu_begin + wave.size() * glu_grid.n_items();
    const int64_t down_begin = quantize_begin + wave.size();
    Tickets tickets;
    run_threads(pool_, alone_, [&](int, int) {
      tickets.run(down_begin + wave.size() * down_grid.n_items(), [&](int64_t ticket) {
        if (ticket < glu_begin) return gather(int(ticket));
        if (ticket < quantize_begin) {
          tickets.wait(glu_begin);
          const int64_t item = ticket - glu_begin;
          const int i = int(item / glu_grid.n_items());
          const GluJob job = glu_job(wave.packed(i), input_of(i), wave.n_slots(i), h_of(wave, i));
          return glu_grid.item(item % glu_grid.n_items(),
                               [&](int64_t from, int64_t to, int64_t, int64_t) { kernels_.int4_glu(job, from, to); });
        }
        if (ticket < down_begin) {
          tickets.wait(quantize_begin);
          const int i = int(ticket - quantize_begin);
          const QuantizeJob job = h_job(h_of(wave, i), wave.n_slots(i), from_row(s_.h_tiles, wave.first_row(i)));
          return kernels_.quantize(job, 0, n_units(job));
        }
        tickets.wait(down_begin);
        const int64_t item = ticket - down_begin;
        const int i = int(item / down_grid.n_items());
        const Int4Job job =
            down_job(wave.packed(i), wave.first_slot(i), wave.n_slots(i), from_row(s_.h_tiles, wave.first_row(i)));
        down_grid.item(item % down_grid.n_items(),
                       [&](int64_t from, int64_t to, int64_t, int64_t) { kernels_.int4_linear(job, from, to); });
      });
    });
  }

 private:
  float* h_of(const Wave& wave, int i) const { return s_.h + wave.first_row(i) * args_.experts.spec.intermediate; }

  GluJob glu_job(const uint8_t* packed, const QuantizedRows& x, int64_t n, float* h) const {
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
  QuantizeJob h_job(const float* h, int64_t n, const QuantizedRows& q) const {
    const ExpertSpec& spec = args_.experts.spec;
    return quantize_job(h, n, spec.intermediate, spec.group_size, args_.experts.down, q);
  }
  Int4Job down_job(const uint8_t* packed, int64_t first_slot, int64_t n, const QuantizedRows& q) const {
    return int4_job(args_.experts.spec.down(), reinterpret_cast<const std::byte*>(packed) + layout_.down_offset(), {},
                    q, n, s_.out + first_slot * args_.experts.spec.hidden);
  }

  const Kernels& kernels_;
  ThreadPool& pool_;
  const bool alone_;
  const MoeArgs& args_;
  const MoeScratch& s_;
  const ExpertLayout layout_;
};

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

  const int64_t n_slots = args.chosen.n_elements();
  const bool alone = n_slots * ExpertLayout(spec).n_bytes() < kSmallWork;
  const QuantizeJob input = quantize_job(args.x.f32(), n, spec.hidden, spec.group_size, experts.gate_up, s.x);
  const Parts input_parts = quantize_parts(input, n_threads());
  int n_used = 0;
  Tickets input_tickets;
  run_threads(pool_, alone, [&](int, int) {
    input_tickets.run(1 + input_parts.n_parts, [&](int64_t ticket) {
      if (ticket > 0) return run_part(kernels_, input, input_parts, ticket - 1);
      n_used = sort_slots(args, s);
    });
  });

  const WaveRunner runner(kernels_, pool_, alone, args, s);
  for (std::span<int32_t> left(s.experts, size_t(n_used)); !left.empty();) {
    const Wave wave(experts, left, s);
    // A wave of few pieces leaves threads without one.
    const bool is_short = wave.n_items() < 2 * n_threads() && wave.n_rows() <= s.n_h_rows;
    if (n_slots <= MoeScratch::shared_slots(n_threads()) || is_short) {
      runner.run_shared(wave);
    } else {
      runner.run_apart(wave);
    }
  }

  constexpr int64_t kColumns = 2048;
  const int64_t top_k = args.chosen.dim(1);
  const int64_t n_column_items = ceil_div(spec.hidden, kColumns);
  pool_.for_ranges(n * n_column_items, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / n_column_items;
      const int64_t column = i % n_column_items * kColumns;
      kernels_.weighted_sum(s.out + column, spec.hidden, s.slots + row * top_k, args.weights.f32() + row * top_k,
                            int(top_k), std::min(kColumns, spec.hidden - column),
                            args.y.f32() + row * spec.hidden + column);
    }
  });
}

}  // namespace paro::cpu
