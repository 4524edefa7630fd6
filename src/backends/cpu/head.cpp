// head: logits of a table. An int8 table is read in two passes: the coarse plane for all rows, which gives bounds of
// every logit, then the fine plane where a logit may be among those that are asked for exactly.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <span>

#include "backends/cpu/backend_class.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/products.h"
#include "base/check.h"
#include "base/largest.h"

namespace paro::cpu {
namespace {

struct HeadScratch {
  QuantizedRows x;
  float* norms;
  float* thresholds;
  float* lower;
  float* upper;
  float* order;  // [n, n_blocks] lower bounds, put in order

  HeadScratch(Scratch& scratch, const TableSpec& spec, const TableLayout& layout, int64_t n)
      : x(take_quantized(scratch, n, spec.cols, layout.n_groups)),
        norms(scratch.take<float>(n)),
        thresholds(scratch.take<float>(n)),
        lower(scratch.take<float>(n * layout.n_blocks)),
        upper(scratch.take<float>(n * layout.n_blocks)),
        order(scratch.take<float>(n * layout.n_blocks)) {}
};

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// At least the norm of a quantized row. The constant is more than all that underflow can cost, and less than matters.
float norm_of(const QuantizedRows& x, int64_t row, int64_t n_groups) {
  const uint8_t* codes = x.data + row * x.stride;
  double squares = 0;
  for (int64_t g = 0; g < n_groups; ++g) {
    int32_t sum = 0;
    for (int64_t k = 0; k < kTableGroup; ++k) {
      const int32_t code = int8_t(codes[g * kTableGroup + k]);
      sum += code * code;
    }
    float scale = 0;
    std::memcpy(&scale, codes + x.n_in + g * 8, sizeof scale);
    squares += double(scale) * scale * sum;
  }
  const auto norm = float(std::sqrt(squares) * (1 + 1e-9) + 0x1p-100);
  return std::nextafter(norm, std::numeric_limits<float>::infinity());
}

// Logits that differ by this much of the cap after it are in the same order before and after; rounding can make two of
// them change places only within half of it.
constexpr double kSoftcapMargin = 2e-6;

// What a logit must reach for its capped value to reach that of `logit`.
float before_softcap(float logit, float softcap) {
  if (!(softcap > 0)) return logit;
  const double capped = std::tanh(double(logit) / softcap) - kSoftcapMargin;
  if (capped <= -1) return kLowest;
  return std::nextafter(float(std::atanh(capped) * softcap), kLowest);
}

// The nth of them in descending order, counted from 1. `order` is as large as they are.
float nth_largest(std::span<const float> values, int64_t nth, float* order) {
  if (nth == 1) return largest(values);
  std::copy(values.begin(), values.end(), order);
  std::nth_element(order, order + nth - 1, order + values.size(), std::greater<>());
  return order[nth - 1];
}

// No row below it is among the n_exact best of a token. The blocks whose lower bounds are best are made exact on the
// way: each of so many has a row that reaches the least of their largest logits, which is far above the bounds.
float find_threshold(const Kernels& kernels, TableJob one, int64_t n_exact, float* order) {
  if (n_exact <= 0 || n_exact > one.n_blocks) return kLowest;
  const float nth = nth_largest({one.lower, size_t(one.n_blocks)}, n_exact, order);
  const float softcap = one.softcap;
  one.thresholds = nullptr;
  one.softcap = 0;
  float threshold = -kLowest;
  int64_t n_found = 0;
  for (int64_t block = 0; block < one.n_blocks && n_found < n_exact; ++block) {
    if (one.lower[block] < nth) continue;
    ++n_found;
    kernels.table_fine(one, block, block + 1);
    one.upper[block] = kLowest;  // is not visited again
    const int64_t row = block * kBlockRows;
    threshold = std::min(threshold, largest({one.y + row, size_t(std::min<int64_t>(kBlockRows, one.n_rows - row))}));
  }
  return before_softcap(threshold, softcap);
}

}  // namespace

int64_t CpuBackend::scratch_bytes(const HeadArgs& args) const {
  const TableLayout layout(args.table.spec);
  Scratch scratch;
  if (layout.type == TableType::int8) HeadScratch(scratch, args.table.spec, layout, args.x.dim(0));
  return scratch.used_bytes();
}

int64_t CpuBackend::head_bytes(const TableSpec& spec, int n_exact) const {
  const TableLayout layout(spec);
  return layout.type == TableType::int8 && n_exact > 0 ? layout.coarse_bytes() : layout.n_bytes;
}

void CpuBackend::head(const HeadArgs& args, std::span<std::byte> memory) {
  const TableSpec& spec = args.table.spec;
  const TableLayout layout(spec);
  const int64_t n = args.x.dim(0);
  if (n == 0) return;
  PARO_CHECK(layout.type != TableType::int4, "a head in int4");
  if (layout.type == TableType::as_stored) {
    DenseJob job = dense_job(spec.stored, spec.cols, args.table.packed, args.x.f32(), n, args.logits.f32(), spec.rows);
    job.softcap = args.softcap;
    Grid grid(spec.rows, job.row_bytes, n, layout.n_bytes, n_threads());
    grid.unit_step = round_up(grid.unit_step, 16);
    pool_.for_each(grid.n_items(), [&](int64_t item) {
      grid.item(item, [&](int64_t begin, int64_t end, int64_t token, int64_t tokens) {
        DenseJob part = job;
        part.x += token * job.n_cols;
        part.y += token * job.y_stride;
        part.n = tokens;
        kernels_.dense_linear(part, begin, end);
      });
    });
    return;
  }

  Scratch scratch(memory);
  const HeadScratch s(scratch, spec, layout, n);
  const auto n_exact = [&](int64_t token) { return args.n_exact.empty() ? 0 : args.n_exact[size_t(token)]; };
  bool all_exact = true;
  for (int64_t i = 0; i < n; ++i) all_exact &= n_exact(i) <= 0 || n_exact(i) > layout.n_blocks;

  TableJob job{};
  job.coarse = reinterpret_cast<const uint8_t*>(args.table.packed);
  job.fine = job.coarse + layout.coarse_bytes();
  job.coarse_block_bytes = layout.coarse_block_bytes;
  job.fine_block_bytes = layout.fine_block_bytes;
  job.row_scales_offset = layout.row_scales_offset;
  job.n_groups = layout.n_groups;
  job.x = s.x;
  job.n = n;
  job.y = args.logits.f32();
  job.y_stride = spec.rows;
  job.n_rows = spec.rows;
  job.n_blocks = layout.n_blocks;
  job.softcap = args.softcap;
  if (!all_exact) {
    job.norms = s.norms;
    job.thresholds = s.thresholds;
    job.lower = s.lower;
    job.upper = s.upper;
  }
  const auto from_token = [&](int64_t token, int64_t tokens) {
    TableJob part = job;
    part.x = from_row(part.x, token);
    part.y += token * part.y_stride;
    part.n = tokens;
    if (!all_exact) {
      part.norms += token;
      part.thresholds += token;
      part.lower += token * part.n_blocks;
      part.upper += token * part.n_blocks;
    }
    return part;
  };

  QuantizeJob input = quantize_job(args.x.f32(), n, spec.cols, kTableGroup, Rotation{}, job.x);
  input.plain_sums = true;
  const int64_t fine_bytes = layout.n_bytes - layout.coarse_bytes();
  const Grid coarse(layout.n_blocks, layout.coarse_block_bytes, n, layout.coarse_bytes(), n_threads());
  const Grid fine(layout.n_blocks, layout.fine_block_bytes, n, fine_bytes, n_threads());
  const Parts parts = quantize_parts(input, n_threads());
  // The input; norms; the coarse plane, or both at once; thresholds; the fine plane.
  const int64_t norms_begin = parts.n_parts;
  const int64_t coarse_begin = norms_begin + (all_exact ? 0 : n);
  const int64_t thresholds_begin = coarse_begin + coarse.n_items();
  const int64_t fine_begin = thresholds_begin + (all_exact ? 0 : n);
  const int64_t n_tickets = fine_begin + (all_exact ? 0 : fine.n_items());
  Tickets tickets;
  run_threads(pool_, layout.n_bytes * n < kSmallWork, [&](int, int) {
    tickets.run(n_tickets, [&](int64_t ticket) {
      if (ticket < norms_begin) return run_part(kernels_, input, parts, ticket);
      if (ticket < coarse_begin) {
        tickets.wait(norms_begin);
        s.norms[ticket - norms_begin] = norm_of(job.x, ticket - norms_begin, layout.n_groups);
        return;
      }
      if (ticket < thresholds_begin) {
        tickets.wait(coarse_begin);
        return coarse.item(ticket - coarse_begin, [&](int64_t begin, int64_t end, int64_t token, int64_t tokens) {
          const TableJob part = from_token(token, tokens);
          kernels_.table_coarse(part, begin, end);
          if (all_exact) kernels_.table_fine(part, begin, end);
        });
      }
      if (ticket < fine_begin) {
        tickets.wait(thresholds_begin);
        const int64_t token = ticket - thresholds_begin;
        s.thresholds[token] =
            find_threshold(kernels_, from_token(token, 1), n_exact(token), s.order + token * layout.n_blocks);
        return;
      }
      tickets.wait(fine_begin);
      fine.item(ticket - fine_begin, [&](int64_t begin, int64_t end, int64_t token, int64_t tokens) {
        kernels_.table_fine(from_token(token, tokens), begin, end);
      });
    });
  });
}

}  // namespace paro::cpu
