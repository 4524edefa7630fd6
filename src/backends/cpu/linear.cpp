// linear and mlp: quantize the input in parts, then take rows, each by whichever thread is free.
#include <array>

#include "backends/cpu/backend_class.h"
#include "backends/cpu/parallel.h"
#include "backends/cpu/products.h"
#include "base/check.h"

namespace paro::cpu {
namespace {

constexpr size_t kMaxWeights = 16;

// One weight of a `linear`.
struct Product {
  bool int4 = false;
  QuantizeJob quantize;
  Int4Job int4_job;
  DenseJob dense_job;
  Grid grid;
};

int64_t weight_bytes(const MatrixSpec& spec) {
  return is_int4(spec.stored) ? Int4Layout(spec).n_bytes() : spec.out * DenseLayout(spec.stored, spec.in).row_bytes;
}

Product product(const Linear& w, const float* x, int64_t n, float* y, int64_t total_bytes, int n_threads,
                Scratch& scratch) {
  Product p;
  p.int4 = is_int4(w.spec.stored);
  if (p.int4) {
    const auto rows = take_tiled(scratch, n, w.spec.in, w.spec.n_groups());
    p.quantize = quantize_job(x, n, w.spec.in, w.spec.group_size, w.rotation, rows);
    p.int4_job = int4_job(w.spec, w.packed, w.bias, rows, n, y);
    p.grid = Grid(Int4Layout(w.spec).n_blocks, p.int4_job.block_bytes, n, total_bytes, n_threads);
  } else {
    p.dense_job = dense_job(w.spec.stored, w.spec.in, w.packed, x, n, y, w.spec.out);
    p.dense_job.bias = w.bias.n == 0 ? nullptr : w.bias.data;
    p.grid = Grid(w.spec.out, p.dense_job.row_bytes, n, total_bytes, n_threads);
    p.grid.unit_step = round_up(p.grid.unit_step, 16);  // whole cache lines of y, whole tiles
  }
  return p;
}

void run_item(const Kernels& kernels, const Product& p, int64_t item) {
  p.grid.item(item, [&](int64_t begin, int64_t end, int64_t token, int64_t n) {
    if (p.int4) {
      Int4Job job = p.int4_job;
      job.x = from_row(job.x, token);
      job.y += token * job.y_stride;
      job.n = n;
      kernels.int4_linear(job, begin, end);
    } else {
      DenseJob job = p.dense_job;
      job.x += token * job.n_cols;
      job.y += token * job.y_stride;
      job.n = n;
      kernels.dense_linear(job, begin, end);
    }
  });
}

void run_products(const Kernels& kernels, ThreadPool& pool, std::span<const Product> products, bool alone) {
  const int n_threads = alone ? 1 : pool.n_threads();
  int64_t n_parts = 0;
  int64_t n_items = 0;
  for (const Product& p : products) {
    if (p.int4) n_parts += quantize_parts(p.quantize, n_threads).n_parts;
    n_items += p.grid.n_items();
  }
  Tickets tickets;
  const auto body = [&](int, int) {
    tickets.run(n_parts + n_items, [&](int64_t ticket) {
      if (ticket < n_parts) {
        for (const Product& p : products) {
          if (!p.int4) continue;
          const Parts parts = quantize_parts(p.quantize, n_threads);
          if (ticket < parts.n_parts) return run_part(kernels, p.quantize, parts, ticket);
          ticket -= parts.n_parts;
        }
      }
      tickets.wait(n_parts);
      int64_t item = ticket - n_parts;
      for (const Product& p : products) {
        if (item < p.grid.n_items()) return run_item(kernels, p, item);
        item -= p.grid.n_items();
      }
    });
  };
  run_threads(pool, alone, body);
}

bool is_fused(const MlpArgs& args) {
  return is_int4(args.gate.spec.stored) && is_int4(args.up.spec.stored) && is_int4(args.down.spec.stored) &&
         args.gate.spec.group_size == args.up.spec.group_size;
}

bool same_rotation(const Rotation& a, const Rotation& b) { return a.packed == b.packed && a.spec.krot == b.spec.krot; }

// Scratch of a fused mlp: both inputs, the product, the product quantized.
struct MlpScratch {
  QuantizedRows x_gate;
  QuantizedRows x_up;
  float* h;  // [n, intermediate]
  QuantizedRows h_down;

  MlpScratch(const MlpArgs& args, Scratch& scratch) {
    const int64_t n = args.x.dim(0);
    x_gate = take_tiled(scratch, n, args.gate.spec.in, args.gate.spec.n_groups());
    x_up = take_tiled(scratch, n, args.up.spec.in, args.up.spec.n_groups());
    h = scratch.take<float>(n * args.gate.spec.out);
    h_down = take_tiled(scratch, n, args.down.spec.in, args.down.spec.n_groups());
  }
};

}  // namespace

int64_t CpuBackend::scratch_bytes(const LinearArgs& args) const {
  Scratch scratch;
  for (const Linear* w : args.weights) {
    if (is_int4(w->spec.stored)) take_tiled(scratch, args.x.dim(0), w->spec.in, w->spec.n_groups());
  }
  return scratch.used_bytes();
}

void CpuBackend::linear(const LinearArgs& args, std::span<std::byte> memory) {
  PARO_CHECK(args.weights.size() <= kMaxWeights, "{} weights", args.weights.size());
  if (args.x.dim(0) == 0) return;
  int64_t total_bytes = 0;
  for (const Linear* w : args.weights) total_bytes += weight_bytes(w->spec);
  Scratch scratch(memory);
  std::array<Product, kMaxWeights> products;
  for (size_t i = 0; i < args.weights.size(); ++i) {
    products[i] =
        product(*args.weights[i], args.x.f32(), args.x.dim(0), args.y[i].f32(), total_bytes, n_threads(), scratch);
  }
  run_products(kernels_, pool_, {products.data(), args.weights.size()}, total_bytes * args.x.dim(0) < kSmallWork);
}

int64_t CpuBackend::scratch_bytes(const MlpArgs& args) const {
  Scratch scratch;
  if (is_fused(args)) {
    MlpScratch(args, scratch);
    return scratch.used_bytes();
  }
  const int64_t n = args.x.dim(0);
  const Linear* const inputs[] = {&args.gate, &args.up};
  const Linear* const down[] = {&args.down};
  scratch.take<float>(n * args.gate.spec.out);
  scratch.take<float>(n * args.up.spec.out);
  const Tensor h{DType::f32, {n, args.down.spec.in}, nullptr};
  scratch.take<std::byte>(
      std::max(scratch_bytes(LinearArgs{args.x, inputs, {}}), scratch_bytes(LinearArgs{h, down, {}})));
  return scratch.used_bytes();
}

void CpuBackend::mlp(const MlpArgs& args, std::span<std::byte> memory) {
  const int64_t n = args.x.dim(0);
  if (n == 0) return;
  Scratch scratch(memory);
  if (!is_fused(args)) {
    const int64_t width = args.gate.spec.out;
    const Tensor h[] = {{DType::f32, {n, width}, reinterpret_cast<std::byte*>(scratch.take<float>(n * width))},
                        {DType::f32, {n, width}, reinterpret_cast<std::byte*>(scratch.take<float>(n * width))}};
    const auto rest = memory.subspan(size_t(scratch.used_bytes()));
    const Linear* const inputs[] = {&args.gate, &args.up};
    const Linear* const down[] = {&args.down};
    linear(LinearArgs{args.x, inputs, h}, rest);
    glu(args.activation, h[0], h[1], h[0]);
    linear(LinearArgs{h[0], down, {&args.y, 1}}, rest);
    return;
  }

  const MlpScratch s(args, scratch);
  const Int4Layout layout(args.gate.spec);
  const QuantizeJob gate_input =
      quantize_job(args.x.f32(), n, args.gate.spec.in, args.gate.spec.group_size, args.gate.rotation, s.x_gate);
  const QuantizeJob up_input =
      quantize_job(args.x.f32(), n, args.up.spec.in, args.up.spec.group_size, args.up.rotation, s.x_up);
  const bool one_input = same_rotation(args.gate.rotation, args.up.rotation);
  const QuantizeJob down_input =
      quantize_job(s.h, n, args.down.spec.in, args.down.spec.group_size, args.down.rotation, s.h_down);
  GluJob glu_job{};
  glu_job.gate = reinterpret_cast<const uint8_t*>(args.gate.packed);
  glu_job.up = reinterpret_cast<const uint8_t*>(args.up.packed);
  glu_job.block_stride = layout.block_bytes();
  glu_job.n_groups = layout.n_groups;
  glu_job.group_size = args.gate.spec.group_size;
  glu_job.x_gate = s.x_gate;
  glu_job.x_up = one_input ? s.x_gate : s.x_up;
  glu_job.gate_bias = args.gate.bias.n == 0 ? nullptr : args.gate.bias.data;
  glu_job.up_bias = args.up.bias.n == 0 ? nullptr : args.up.bias.data;
  glu_job.activation = gate_of(args.activation);
  glu_job.y = s.h;
  glu_job.y_stride = args.gate.spec.out;
  glu_job.n_rows = args.gate.spec.out;
  const Grid glu_grid(layout.n_blocks, 2 * layout.block_bytes(), n, 2 * layout.n_bytes(), n_threads());
  const Int4Job down_job = int4_job(args.down.spec, args.down.packed, args.down.bias, s.h_down, n, args.y.f32());
  const Int4Layout down_layout(args.down.spec);
  const Grid down_grid(down_layout.n_blocks, down_layout.block_bytes(), n, down_layout.n_bytes(), n_threads());

  // Four phases: inputs, gate and up, the product's input, down.
  const Parts gate_parts = quantize_parts(gate_input, n_threads());
  const Parts up_parts = one_input ? Parts(0, 1) : quantize_parts(up_input, n_threads());
  const Parts down_parts = quantize_parts(down_input, n_threads());
  const int64_t glu_begin = gate_parts.n_parts + up_parts.n_parts;
  const int64_t input_begin = glu_begin + glu_grid.n_items();
  const int64_t down_begin = input_begin + down_parts.n_parts;
  Tickets tickets;
  const bool alone = (2 * layout.n_bytes() + down_layout.n_bytes()) * n < kSmallWork;
  run_threads(pool_, alone, [&](int, int) {
    tickets.run(down_begin + down_grid.n_items(), [&](int64_t ticket) {
      if (ticket < gate_parts.n_parts) return run_part(kernels_, gate_input, gate_parts, ticket);
      if (ticket < glu_begin) return run_part(kernels_, up_input, up_parts, ticket - gate_parts.n_parts);
      if (ticket < input_begin) {
        tickets.wait(glu_begin);
        return glu_grid.item(ticket - glu_begin, [&](int64_t begin, int64_t end, int64_t token, int64_t tokens) {
          GluJob job = glu_job;
          job.x_gate = from_row(job.x_gate, token);
          job.x_up = from_row(job.x_up, token);
          job.y += token * job.y_stride;
          job.n = tokens;
          kernels_.int4_glu(job, begin, end);
        });
      }
      if (ticket < down_begin) {
        tickets.wait(input_begin);
        return run_part(kernels_, down_input, down_parts, ticket - input_begin);
      }
      tickets.wait(down_begin);
      down_grid.item(ticket - down_begin, [&](int64_t begin, int64_t end, int64_t token, int64_t tokens) {
        Int4Job job = down_job;
        job.x = from_row(job.x, token);
        job.y += token * job.y_stride;
        job.n = tokens;
        kernels_.int4_linear(job, begin, end);
      });
    });
  });
}

}  // namespace paro::cpu
