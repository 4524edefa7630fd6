// Attention over pages. Keys are summed in splits of kSplitKeys at absolute positions, and splits merged in ascending
// order. With many rows, a thread takes a tile of rows through all its splits; with few, the splits of all rows are
// spread over the threads in waves, and merged after each. Either way a row sees the same operations.
#include <algorithm>
#include <cstring>

#include "backends/cpu/backend_class.h"
#include "backends/cpu/parallel.h"
#include "base/check.h"

namespace paro::cpu {
namespace {

static_assert(kPage == kPageTokens && kSplitKeys % kPageTokens == 0);

constexpr int kPartialHeader = 16;  // floats: max, sum, padding to the values' alignment

// Rows [begin, begin + n) of one sequence.
struct RowTile {
  int32_t begin;
  int32_t n;
};

// Query heads of a key head, cut so that a tile of rows fits a job.
struct Heads {
  int group;     // query heads of a key head
  int per_tile;  // of those, in a tile
  int n_tiles;   // for one key head

  explicit Heads(const AttentionArgs& args)
      : group(int(args.q.dim(1)) / args.kv.spec.n_kv_heads),
        per_tile(std::min(group, kMaxAttendRows)),
        n_tiles(int(ceil_div(group, per_tile))) {}
};

// Rows of a tile when there are many.
int rows_per_tile(const Heads& heads) { return std::max(1, kMaxAttendRows / heads.per_tile); }

int64_t partial_floats(const KvSpec& spec) { return kPartialHeader + round_up(spec.head_dim, kValueBlock); }

// A thread's memory: scores, results of a split, and the merged results so far.
struct Workspace {
  float* scores;   // [kMaxAttendRows, kSplitKeys]
  int16_t* codes;  // [kMaxAttendRows, padded_dim]
  float* maxima;   // [kMaxAttendRows]
  float* sums;     // [kMaxAttendRows]
  float* values;   // [kMaxAttendRows, padded_dim]
  float* partial;  // [partial_floats]
  float* merged;   // [kMaxAttendRows, partial_floats]

  Workspace(const KvSpec& spec, Scratch& scratch) {
    scores = scratch.take<float>(kMaxAttendRows * kSplitKeys);
    codes = scratch.take<int16_t>(spec.type == KvType::q8 ? kMaxAttendRows * round_up(spec.head_dim, kValueBlock) : 0);
    maxima = scratch.take<float>(kMaxAttendRows);
    sums = scratch.take<float>(kMaxAttendRows);
    values = scratch.take<float>(kMaxAttendRows * round_up(spec.head_dim, kValueBlock));
    partial = scratch.take<float>(partial_floats(spec));
    merged = scratch.take<float>(kMaxAttendRows * partial_floats(spec));
  }
};

// Units are row tiles times head tiles. With fewer than this, splits are spread.
int64_t least_units(int n_threads) { return n_threads == 1 ? 0 : 4 * int64_t(n_threads); }
// Splits in flight when they are spread.
int64_t splits_in_flight(int n_threads) { return 8 * int64_t(n_threads); }

int64_t thread_bytes(const KvSpec& spec) {
  Scratch scratch;
  Workspace(spec, scratch);
  return scratch.used_bytes();
}

class Attention {
 public:
  Attention(const Kernels& kernels, const AttentionArgs& args)
      : kernels_(kernels),
        args_(args),
        layout_(kv_layout(args.kv.spec)),
        head_bytes_(kv_head_bytes(args.kv.spec)),
        page_bytes_(args.kv.spec.n_kv_heads * head_bytes_),
        heads_(args),
        n_head_tiles_(args.kv.spec.n_kv_heads * heads_.n_tiles) {}

  const Heads& heads() const { return heads_; }
  int64_t n_head_tiles() const { return n_head_tiles_; }

  // The splits [begin, end) that a tile's rows see.
  void splits_of(const RowTile& tile, int& begin, int& end) const {
    begin = first_key(tile.begin) / kSplitKeys;
    end = position(tile.begin + tile.n - 1) / kSplitKeys + 1;
  }

  // One split of a tile's rows and one head tile: results in the workspace; ranges of rows in job.
  void run_split(const RowTile& tile, int64_t head_tile, int split, const Workspace& w, AttendJob& job) const {
    const int kv_head = int(head_tile) / heads_.n_tiles;
    const int first_head = kv_head * heads_.group + int(head_tile) % heads_.n_tiles * heads_.per_tile;
    const int n_heads = std::min(heads_.per_tile, (kv_head + 1) * heads_.group - first_head);
    const int split_begin = split * kSplitKeys;
    int first_page = kSplitPages;
    int end_page = 0;
    job.layout = layout_;
    job.n_rows = tile.n * n_heads;
    for (int r = 0; r < tile.n; ++r) {
      const int row = tile.begin + r;
      int begin = std::max(first_key(row) - split_begin, 0);
      int end = std::min(position(row) + 1 - split_begin, kSplitKeys);
      if (begin >= end) begin = end = 0;
      if (begin < end) {
        first_page = std::min(first_page, begin / kPage);
        end_page = std::max(end_page, (end - 1) / kPage + 1);
      }
      for (int h = 0; h < n_heads; ++h) {
        const int i = r * n_heads + h;
        job.q[i] = args_.q.f32() + (int64_t(row) * args_.q.dim(1) + first_head + h) * args_.q.dim(2);
        job.begin[i] = begin;
        job.end[i] = end;
      }
    }
    const int32_t sequence = args_.batch.sequences[size_t(tile.begin)];
    const BlockTable& table = args_.batch.table(args_.kv.kind);
    for (int page = first_page; page < end_page; ++page) {
      const int64_t index = table.page(sequence, split_begin + page * kPage);
      job.pages[page] = reinterpret_cast<const uint8_t*>(args_.kv.pages) + index * page_bytes_ + kv_head * head_bytes_;
    }
    job.scale = args_.scale;
    job.scores = w.scores;
    job.codes = w.codes;
    job.max = w.maxima;
    job.sum = w.sums;
    job.values = w.values;
    kernels_.attend(job);
  }

  // Row i of a split into its place among partial results; an empty range has sum 0.
  void store_partial(const AttendJob& job, int i, float* partial) const {
    if (job.begin[i] == job.end[i]) {
      partial[0] = 0;
      partial[1] = 0;
      return;
    }
    partial[0] = job.max[i];
    partial[1] = job.sum[i];
    std::memcpy(partial + kPartialHeader, job.values + i * layout_.padded_dim,
                size_t(layout_.padded_dim) * sizeof(float));
  }

  // A row's first split is its result so far, others are merged. `fresh` says that there was none yet.
  void take_in(float* merged, const float* partial, bool fresh) const {
    if (fresh) {
      std::memcpy(merged, partial, size_t(kPartialHeader + layout_.padded_dim) * sizeof(float));
    } else {
      kernels_.merge(layout_.padded_dim, merged, partial);
    }
  }

  void finish(const RowTile& tile, int64_t head_tile, int i, const float* merged) const {
    const int kv_head = int(head_tile) / heads_.n_tiles;
    const int first_head = kv_head * heads_.group + int(head_tile) % heads_.n_tiles * heads_.per_tile;
    const int n_heads = std::min(heads_.per_tile, (kv_head + 1) * heads_.group - first_head);
    const int64_t row = tile.begin + i / n_heads;
    float* y = args_.y.f32() + (row * args_.q.dim(1) + first_head + i % n_heads) * layout_.head_dim;
    const float inverse = 1.0f / merged[1];
    for (int d = 0; d < layout_.head_dim; ++d) y[d] = merged[kPartialHeader + d] * inverse;
  }

  // A whole unit on one thread.
  void run_unit(const RowTile& tile, int64_t head_tile, const Workspace& w) const {
    AttendJob job{};
    bool fresh[kMaxAttendRows];
    std::fill_n(fresh, kMaxAttendRows, true);
    const int64_t stride = partial_floats(args_.kv.spec);
    int begin = 0;
    int end = 0;
    splits_of(tile, begin, end);
    for (int split = begin; split < end; ++split) {
      run_split(tile, head_tile, split, w, job);
      for (int i = 0; i < job.n_rows; ++i) {
        if (job.begin[i] == job.end[i]) continue;
        store_partial(job, i, w.partial);
        take_in(w.merged + i * stride, w.partial, fresh[i]);
        fresh[i] = false;
      }
    }
    for (int i = 0; i < job.n_rows; ++i) finish(tile, head_tile, i, w.merged + i * stride);
  }

 private:
  int position(int64_t row) const { return args_.batch.positions[size_t(row)]; }
  int first_key(int64_t row) const { return args_.window > 0 ? std::max(0, position(row) - args_.window + 1) : 0; }

  const Kernels& kernels_;
  const AttentionArgs& args_;
  const KvLayout layout_;
  const int64_t head_bytes_;
  const int64_t page_bytes_;
  const Heads heads_;
  const int64_t n_head_tiles_;
};

}  // namespace

int64_t CpuBackend::scratch_bytes(const AttentionArgs& args) const {
  const KvSpec& spec = args.kv.spec;
  const Heads heads(args);
  Scratch scratch;
  scratch.take<RowTile>(args.q.dim(0));
  scratch.take<std::byte>(n_threads() * thread_bytes(spec));
  // Spread splits: one row a tile, partial results of those in flight and the merged ones of all units.
  const int64_t n_units = std::min(args.q.dim(0) * spec.n_kv_heads * heads.n_tiles, least_units(n_threads()));
  if (n_units > 0) {
    scratch.take<float>((splits_in_flight(n_threads()) + 2 * n_units) * heads.per_tile * partial_floats(spec));
  }
  return scratch.used_bytes();
}

void CpuBackend::attention(const AttentionArgs& args, std::span<std::byte> memory) {
  const int64_t n = args.q.dim(0);
  if (n == 0) return;
  const KvSpec& spec = args.kv.spec;
  const Attention attention(kernels_, args);
  Scratch scratch(memory);
  auto* tiles = scratch.take<RowTile>(n);
  auto* threads = scratch.take<std::byte>(n_threads() * thread_bytes(spec));
  const auto workspace = [&](int thread) {
    Scratch own({threads + thread * thread_bytes(spec), size_t(thread_bytes(spec))});
    return Workspace(spec, own);
  };

  const auto longest = *std::max_element(args.batch.positions.begin(), args.batch.positions.end()) + int64_t(1);
  const bool alone = n * longest * args.q.dim(1) * spec.head_dim < kSmallWork;
  const bool spread = !alone && n * attention.n_head_tiles() < least_units(n_threads());
  const int most_rows = spread || n < 4 * n_threads() ? 1 : rows_per_tile(attention.heads());
  int64_t n_tiles = 0;
  for (int64_t row = 0; row < n; ++row) {
    const bool extends = n_tiles > 0 && tiles[n_tiles - 1].n < most_rows &&
                         args.batch.sequences[size_t(row)] == args.batch.sequences[size_t(row - 1)];
    if (extends) {
      ++tiles[n_tiles - 1].n;
    } else {
      tiles[n_tiles++] = {int32_t(row), 1};
    }
  }
  const int64_t n_units = n_tiles * attention.n_head_tiles();

  if (!spread) {
    Tickets tickets;
    const auto body = [&](int thread, int) {
      const Workspace w = workspace(thread);
      tickets.run(n_units, [&](int64_t unit) {
        // The last rows see the most keys: they go first.
        const int64_t tile = n_tiles - 1 - unit / attention.n_head_tiles();
        attention.run_unit(tiles[tile], unit % attention.n_head_tiles(), w);
      });
    };
    run_threads(pool_, alone, body);
    return;
  }

  // Waves of splits: each unit advances by the same number.
  const int64_t rows = attention.heads().per_tile;
  const int64_t stride = partial_floats(spec);
  const int64_t splits_per_wave = std::max<int64_t>(1, splits_in_flight(n_threads()) / n_units);
  auto* partials = scratch.take<float>((splits_per_wave * n_units + n_units) * rows * stride);
  float* merged = partials + splits_per_wave * n_units * rows * stride;
  int64_t n_waves = 0;
  for (int64_t tile = 0; tile < n_tiles; ++tile) {
    int begin = 0;
    int end = 0;
    attention.splits_of(tiles[tile], begin, end);
    n_waves = std::max(n_waves, ceil_div(end - begin, splits_per_wave));
  }
  const auto split_of = [&](int64_t wave, int64_t unit, int64_t k, int& split) {
    int begin = 0;
    int end = 0;
    attention.splits_of(tiles[unit / attention.n_head_tiles()], begin, end);
    split = begin + int(wave * splits_per_wave + k);
    return split < end;
  };
  const auto merge_wave = [&](int64_t wave) {
    for (int64_t unit = 0; unit < n_units; ++unit) {
      int split = 0;
      for (int64_t k = 0; k < splits_per_wave && split_of(wave, unit, k, split); ++k) {
        const float* from = partials + (unit * splits_per_wave + k) * rows * stride;
        for (int64_t i = 0; i < rows; ++i) {
          attention.take_in(merged + (unit * rows + i) * stride, from + i * stride, wave == 0 && k == 0);
        }
      }
    }
  };
  // A wave is its splits and then the merge.
  const int64_t wave_splits = splits_per_wave * n_units;
  Tickets tickets;
  pool_.run([&](int thread, int) {
    const Workspace w = workspace(thread);
    tickets.run(n_waves * (wave_splits + 1), [&](int64_t ticket) {
      const int64_t wave = ticket / (wave_splits + 1);
      const int64_t item = ticket % (wave_splits + 1);
      if (item == wave_splits) {
        tickets.wait(ticket);
        return merge_wave(wave);
      }
      const int64_t unit = item / splits_per_wave;
      int split = 0;
      tickets.wait(ticket - item);
      if (!split_of(wave, unit, item % splits_per_wave, split)) return;
      AttendJob job{};
      attention.run_split(tiles[unit / attention.n_head_tiles()], unit % attention.n_head_tiles(), split, w, job);
      for (int i = 0; i < job.n_rows; ++i) attention.store_partial(job, i, partials + (item * rows + i) * stride);
    });
  });
  for (int64_t unit = 0; unit < n_units; ++unit) {
    const int64_t head_tile = unit % attention.n_head_tiles();
    const int64_t n_rows =
        std::min<int64_t>(rows, attention.heads().group - head_tile % attention.heads().n_tiles * rows);
    for (int64_t i = 0; i < n_rows; ++i) {
      attention.finish(tiles[unit / attention.n_head_tiles()], head_tile, int(i), merged + (unit * rows + i) * stride);
    }
  }
}

void CpuBackend::append_kv(Tensor k, Tensor v, const KvLayer& kv, const Batch& batch) {
  const KvSpec& spec = kv.spec;
  const KvLayout layout = kv_layout(spec);
  const int64_t head_bytes = kv_head_bytes(spec);
  const int64_t row_floats = int64_t(spec.n_kv_heads) * spec.head_dim;
  pool_.for_ranges(batch.n_rows(), kPageTokens, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int32_t position = batch.positions[size_t(row)];
      const int64_t page = batch.table(kv.kind).page(batch.sequences[size_t(row)], position);
      for (int head = 0; head < spec.n_kv_heads; ++head) {
        const int64_t at = row * row_floats + int64_t(head) * spec.head_dim;
        kernels_.append_key(layout, k.f32() + at, v.f32() + at,
                            reinterpret_cast<uint8_t*>(kv.pages) + (page * spec.n_kv_heads + head) * head_bytes,
                            position % kPageTokens);
      }
    }
  });
}

}  // namespace paro::cpu
