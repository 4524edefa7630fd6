#include "engine/weight_loader.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/align.h"
#include "base/check.h"
#include "base/error.h"
#include "base/float16.h"
#include "tensor/buffer.h"

namespace paro {
namespace {

// Pieces are about this large: a read worth its call, small enough to be packed while still in cache.
constexpr int64_t kPieceBytes = 1 << 20;

// One stretch of a load: input groups of an AWQ matrix, rows of a dense one or of a table, or all of it.
struct Piece {
  const WeightLoad* load = nullptr;
  int64_t begin = 0, end = 0;
  int64_t n_bytes = 0;  // read
};

int64_t row_bytes(const StoredTensor& tensor) { return tensor.n_bytes / std::max<int64_t>(1, tensor.shape[0]); }

// How a matrix is cut: AWQ lines are input channels, so that groups are contiguous; dense lines are rows.
struct Cut {
  int64_t n_lines = 0;     // groups or rows
  int64_t line_bytes = 0;  // of all tensors together
  int64_t granule = 1;
};

Cut cut_of(const MatrixLoad& m) {
  switch (m.spec.stored) {
    case StoredFormat::int4_awq:
      return {m.spec.n_groups(), row_bytes(*m.codes) * m.spec.group_size + row_bytes(*m.scales) + row_bytes(*m.zeros),
              1};
    case StoredFormat::int4_native:  // scales run across rows: the whole matrix at once
      return {1, m.codes->n_bytes + m.scales->n_bytes + m.zeros->n_bytes, 1};
    default:
      return {m.spec.out, row_bytes(*m.codes), MatrixPiece::kRowGranule};
  }
}

Cut cut_of(const TableLoad& t) { return {t.spec.rows, row_bytes(*t.rows), MatrixPiece::kRowGranule}; }
Cut cut_of(const RotationLoad& r) { return {1, r.theta->n_bytes + r.pairs->n_bytes + r.channel_scales->n_bytes, 1}; }
Cut cut_of(const VectorLoad& v) { return {1, v.stored->n_bytes, 1}; }
Cut cut_of(const ConstantLoad&) { return {1, 0, 1}; }

Cut cut_of(const WeightLoad& load) {
  return std::visit([](const auto& what) { return cut_of(what); }, load.what);
}

int64_t lines_per_piece(const Cut& cut) {
  const int64_t lines = std::max<int64_t>(1, kPieceBytes / std::max<int64_t>(1, cut.line_bytes));
  return std::max(cut.granule, lines / cut.granule * cut.granule);
}

// Reads into staging one after the other, each aligned.
class Stage {
 public:
  Stage(const SafetensorsFiles& files, std::span<std::byte> memory) : files_(files), memory_(memory) {}

  const std::byte* read(const StoredTensor& tensor, int64_t begin_bytes, int64_t n_bytes) {
    PARO_CHECK(used_ + n_bytes <= int64_t(memory_.size()), "staging {} + {} of {}", used_, n_bytes, memory_.size());
    const auto out = memory_.subspan(size_t(used_), size_t(n_bytes));
    files_.read(tensor, begin_bytes, out);
    used_ += round_up(n_bytes, Buffer::kAlignment);
    return out.data();
  }
  const std::byte* read(const StoredTensor& tensor) { return read(tensor, 0, tensor.n_bytes); }

 private:
  const SafetensorsFiles& files_;
  std::span<std::byte> memory_;
  int64_t used_ = 0;
};

void load_piece(const MatrixLoad& m, const Piece& piece, Stage& stage, const Backend& backend, std::byte* packed) {
  MatrixPiece p{.n_rows = m.spec.out, .n_cols = m.spec.in};
  if (m.spec.stored == StoredFormat::int4_awq) {
    const int64_t g = m.spec.group_size;
    p.col_begin = piece.begin * g;
    p.n_cols = (piece.end - piece.begin) * g;
    p.codes_stride = row_bytes(*m.codes);
    p.scales_stride = row_bytes(*m.scales);
    p.zeros_stride = row_bytes(*m.zeros);
    p.codes = stage.read(*m.codes, p.col_begin * p.codes_stride, p.n_cols * p.codes_stride);
    p.scales = stage.read(*m.scales, piece.begin * p.scales_stride, (piece.end - piece.begin) * p.scales_stride);
    p.zeros = stage.read(*m.zeros, piece.begin * p.zeros_stride, (piece.end - piece.begin) * p.zeros_stride);
  } else if (m.spec.stored == StoredFormat::int4_native) {
    p.codes_stride = row_bytes(*m.codes);
    p.scales_stride = row_bytes(*m.scales);
    p.zeros_stride = row_bytes(*m.zeros);
    p.codes = stage.read(*m.codes);
    p.scales = stage.read(*m.scales);
    p.zeros = stage.read(*m.zeros);
  } else {
    p.row_begin = piece.begin;
    p.n_rows = piece.end - piece.begin;
    p.codes_stride = row_bytes(*m.codes);
    p.codes = stage.read(*m.codes, p.row_begin * p.codes_stride, p.n_rows * p.codes_stride);
  }
  if (m.expert) {
    backend.pack(m.expert->spec, m.expert->part, p, packed);
  } else {
    backend.pack(m.spec, p, packed);
  }
}

void load_piece(const RotationLoad& r, const Piece& piece, Stage& stage, const Backend& backend, std::byte* packed) {
  const StoredRotation stored{reinterpret_cast<const uint16_t*>(stage.read(*r.theta)),
                              reinterpret_cast<const int16_t*>(stage.read(*r.pairs)),
                              reinterpret_cast<const uint16_t*>(stage.read(*r.channel_scales))};
  check_pairs(r.spec, stored, piece.load->name);
  backend.pack(r.spec, stored, packed);
}

void load_piece(const TableLoad& t, const Piece& piece, Stage& stage, const Backend& backend, std::byte* packed) {
  const int64_t row = row_bytes(*t.rows);
  const std::byte* rows = stage.read(*t.rows, piece.begin * row, (piece.end - piece.begin) * row);
  backend.pack(t.spec, {piece.begin, piece.end - piece.begin, rows}, packed);
}

void load_piece(const VectorLoad& v, const Piece&, Stage& stage, const Backend&, std::byte* packed) {
  const std::byte* stored = stage.read(*v.stored);
  for (int64_t i = 0; i < v.stored->shape.n_elements(); ++i) {
    float value = 0;
    uint16_t half = 0;
    if (v.stored->dtype == DType::f32) {
      std::memcpy(&value, stored + i * 4, 4);
    } else {
      std::memcpy(&half, stored + i * 2, 2);
      value = v.stored->dtype == DType::f16 ? f16_to_f32(half) : bf16_to_f32(half);
    }
    value += v.plus;
    std::memcpy(packed + i * 4, &value, 4);
  }
}

void load_piece(const ConstantLoad& c, const Piece&, Stage&, const Backend&, std::byte* packed) {
  if (!c.values.empty()) std::memcpy(packed, c.values.data(), c.values.size() * sizeof(float));
}

std::vector<Piece> cut_into_pieces(std::span<const WeightLoad> loads) {
  std::vector<Piece> pieces;
  for (const WeightLoad& load : loads) {
    const Cut cut = cut_of(load);
    const int64_t step = lines_per_piece(cut);
    for (int64_t begin = 0; begin < cut.n_lines; begin += step) {
      const int64_t end = std::min(begin + step, cut.n_lines);
      pieces.push_back({&load, begin, end, (end - begin) * cut.line_bytes});
    }
  }
  return pieces;
}

}  // namespace

int64_t staging_bytes(std::span<const WeightLoad> loads) {
  int64_t largest = 0;
  for (const WeightLoad& load : loads) {
    const Cut cut = cut_of(load);
    // Up to three tensors stand side by side, each aligned.
    largest = std::max(largest, std::min(cut.n_lines, lines_per_piece(cut)) * cut.line_bytes + 3 * Buffer::kAlignment);
  }
  return round_up(largest, Buffer::kAlignment);
}

void load_weights(std::span<const WeightLoad> loads, const SafetensorsFiles& files, const Backend& backend,
                  std::span<std::byte> memory, std::span<std::byte> staging, int n_threads,
                  const LoadProgress& progress) {
  const std::vector<Piece> pieces = cut_into_pieces(loads);
  int64_t n_bytes = 0;
  for (const Piece& piece : pieces) n_bytes += piece.n_bytes;

  std::atomic<size_t> next{0};
  std::mutex mutex;  // guards what follows
  int64_t n_done = 0;
  std::exception_ptr error;

  const auto work = [&](int thread) {
    const size_t part = staging.size() / size_t(n_threads);
    const auto own = staging.subspan(part * size_t(thread), part);
    try {
      for (size_t i = next.fetch_add(1); i < pieces.size(); i = next.fetch_add(1)) {
        const Piece& piece = pieces[i];
        Stage stage(files, own);
        std::byte* packed = memory.data() + piece.load->offset_bytes;
        std::visit([&](const auto& what) { load_piece(what, piece, stage, backend, packed); }, piece.load->what);
        const std::lock_guard lock(mutex);
        if (error) return;
        n_done += piece.n_bytes;
        if (progress) progress(n_done, n_bytes);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  try {
    for (int i = 1; i < n_threads; ++i) threads.emplace_back(work, i);
  } catch (const std::system_error&) {
    // Those that could be started take all pieces.
  }
  work(0);
  for (std::thread& thread : threads) thread.join();
  if (error) std::rethrow_exception(error);
}

}  // namespace paro
