#include "engine/weight_loader.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <semaphore>
#include <system_error>
#include <thread>
#include <vector>

#include "base/align.h"
#include "base/check.h"
#include "base/error.h"
#include "base/float16.h"
#include "engine/stored_reader.h"
#include "tensor/buffer.h"

namespace paro {
namespace {

// Pieces are about this large: a read worth its call, small enough to be packed while still in cache.
constexpr int64_t kPieceBytes = 1 << 20;

// More threads than these find memory busy.
constexpr int kMostPackingThreads = 32;

// Threads beyond those that pack, for a disk always to have some reads to do.
constexpr int kReadingThreads = 6;

constexpr int packing_threads(int n_threads) { return std::min(n_threads, kMostPackingThreads); }

// One stretch of a load: input groups of an AWQ matrix, rows of a dense one or of a table, or all of it.
struct Piece {
  const WeightLoad* load = nullptr;
  int64_t begin = 0, end = 0;
  int64_t n_bytes = 0;  // read
};

int64_t row_bytes(const StoredTensor& tensor) { return tensor.n_bytes / std::max<int64_t>(1, tensor.shape[0]); }

// How a load is cut: AWQ lines are input channels, so that groups are contiguous; native lines are output channels by
// four, dense ones output channels.
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
    case StoredFormat::int4_native:
      return {m.spec.out, m.spec.in / 2 + m.spec.n_groups() * 4, MatrixPiece::kRowGranule};
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

// The staging of one thread: stretches read one after the other.
class Stage {
 public:
  Stage(const SafetensorsFiles& files, const StoredReader& reader, std::span<std::byte> memory)
      : files_(files), reader_(reader), memory_(memory) {}

  // Where the stretch stands now; aligned as its place in the file is, at least for its elements.
  const std::byte* read(const StoredTensor& tensor, int64_t begin_bytes, int64_t n_bytes) {
    return reader_.read(tensor, begin_bytes, n_bytes, take(StoredReader::room_bytes(n_bytes)));
  }
  const std::byte* read(const StoredTensor& tensor) { return read(tensor, 0, tensor.n_bytes); }

  // Elements [begin, begin + n) of every line, lines side by side.
  const std::byte* read_columns(const StoredTensor& tensor, int64_t begin_bytes, int64_t n_bytes) {
    const int64_t n_lines = tensor.shape[0];
    const auto out = take(n_lines * n_bytes);
    for (int64_t line = 0; line < n_lines; ++line) {
      files_.read(tensor, line * row_bytes(tensor) + begin_bytes, out.subspan(size_t(line * n_bytes), size_t(n_bytes)));
    }
    return out.data();
  }

 private:
  std::span<std::byte> take(int64_t n_bytes) {
    PARO_CHECK(used_ + n_bytes <= int64_t(memory_.size()), "staging {} + {} of {}", used_, n_bytes, memory_.size());
    const auto taken = memory_.subspan(size_t(used_), size_t(n_bytes));
    used_ += round_up(n_bytes, DirectFile::kAlignment);
    return taken;
  }

  const SafetensorsFiles& files_;
  const StoredReader& reader_;
  std::span<std::byte> memory_;
  int64_t used_ = 0;
};

// Staging of a piece: up to three tensors stand side by side.
int64_t stage_bytes(int64_t piece_bytes) { return piece_bytes + 3 * StoredReader::room_bytes(1); }

MatrixPiece read_piece(const MatrixLoad& m, const Piece& piece, Stage& stage) {
  MatrixPiece p{.n_rows = m.spec.out, .n_cols = m.spec.in};
  p.codes_stride = row_bytes(*m.codes);
  if (m.spec.stored == StoredFormat::int4_awq) {
    const int64_t g = m.spec.group_size;
    p.col_begin = piece.begin * g;
    p.n_cols = (piece.end - piece.begin) * g;
    p.scales_stride = row_bytes(*m.scales);
    p.zeros_stride = row_bytes(*m.zeros);
    p.codes = stage.read(*m.codes, p.col_begin * p.codes_stride, p.n_cols * p.codes_stride);
    p.scales = stage.read(*m.scales, piece.begin * p.scales_stride, (piece.end - piece.begin) * p.scales_stride);
    p.zeros = stage.read(*m.zeros, piece.begin * p.zeros_stride, (piece.end - piece.begin) * p.zeros_stride);
    return p;
  }
  p.row_begin = piece.begin;
  p.n_rows = piece.end - piece.begin;
  if (m.spec.stored == StoredFormat::int4_native) {
    p.codes = stage.read(*m.codes, p.row_begin / 4 * p.codes_stride, p.n_rows / 4 * p.codes_stride);
    p.scales_stride = p.zeros_stride = p.n_rows * 2;
    p.scales = stage.read_columns(*m.scales, p.row_begin * 2, p.scales_stride);
    p.zeros = stage.read_columns(*m.zeros, p.row_begin * 2, p.zeros_stride);
  } else {
    p.codes = stage.read(*m.codes, p.row_begin * p.codes_stride, p.n_rows * p.codes_stride);
  }
  return p;
}

StoredRotation read_piece(const RotationLoad& r, const Piece&, Stage& stage) {
  return {reinterpret_cast<const uint16_t*>(stage.read(*r.theta)),
          reinterpret_cast<const int16_t*>(stage.read(*r.pairs)),
          reinterpret_cast<const uint16_t*>(stage.read(*r.channel_scales))};
}

TablePiece read_piece(const TableLoad& t, const Piece& piece, Stage& stage) {
  const int64_t row = row_bytes(*t.rows);
  return {piece.begin, piece.end - piece.begin,
          stage.read(*t.rows, piece.begin * row, (piece.end - piece.begin) * row)};
}

const std::byte* read_piece(const VectorLoad& v, const Piece&, Stage& stage) { return stage.read(*v.stored); }
const std::byte* read_piece(const ConstantLoad&, const Piece&, Stage&) { return nullptr; }

void pack_piece(const MatrixLoad& m, const MatrixPiece& p, const Piece&, const Backend& backend, std::byte* packed) {
  if (m.expert) {
    backend.pack(m.expert->spec, m.expert->part, p, packed);
  } else {
    backend.pack(m.spec, p, packed);
  }
}

void pack_piece(const RotationLoad& r, const StoredRotation& stored, const Piece& piece, const Backend& backend,
                std::byte* packed) {
  check_pairs(r.spec, stored, piece.load->name);
  backend.pack(r.spec, stored, packed);
}

void pack_piece(const TableLoad& t, const TablePiece& rows, const Piece&, const Backend& backend, std::byte* packed) {
  backend.pack(t.spec, rows, packed);
}

void pack_piece(const VectorLoad& v, const std::byte* stored, const Piece&, const Backend&, std::byte* packed) {
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

void pack_piece(const ConstantLoad& c, const std::byte*, const Piece&, const Backend&, std::byte* packed) {
  if (!c.values.empty()) std::memcpy(packed, c.values.data(), c.values.size() * sizeof(float));
}

// What a load takes from its offset on.
int64_t packed_bytes(const MatrixLoad& m, const Backend& backend) {
  return m.expert ? backend.packed_bytes(m.expert->spec) : backend.packed_bytes(m.spec);
}
int64_t packed_bytes(const RotationLoad& r, const Backend& backend) { return backend.packed_bytes(r.spec); }
int64_t packed_bytes(const TableLoad& t, const Backend& backend) { return backend.packed_bytes(t.spec); }
int64_t packed_bytes(const VectorLoad& v, const Backend&) { return v.stored->shape.n_elements() * 4; }
int64_t packed_bytes(const ConstantLoad& c, const Backend&) { return int64_t(c.values.size()) * 4; }

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

// Memory whose pages are made by those who fill it, from its begin on.
class Pages {
 public:
  explicit Pages(std::span<std::byte> memory) : memory_(memory) {}

  // Takes its share of making pages until those before `end` are there or under way.
  void touch_up_to(int64_t end) {
    while (begin_.load(std::memory_order_relaxed) < end) {
      const int64_t begin = begin_.fetch_add(kStep, std::memory_order_relaxed);
      if (begin >= int64_t(memory_.size())) return;
      Buffer::touch(memory_.subspan(size_t(begin), size_t(std::min(kStep, int64_t(memory_.size()) - begin))),
                    "the weights");
    }
  }
  void touch_all() { touch_up_to(int64_t(memory_.size())); }

 private:
  static constexpr int64_t kStep = 2 << 20;

  std::span<std::byte> memory_;
  std::atomic<int64_t> begin_{0};
};

class Loader {
 public:
  Loader(std::span<const WeightLoad> loads, const SafetensorsFiles& files, const Backend& backend,
         std::span<std::byte> memory, std::span<std::byte> staging, const LoadProgress& progress)
      : pieces_(cut_into_pieces(loads)),
        files_(files),
        reader_(files.files()),
        backend_(backend),
        memory_(memory),
        staging_(staging),
        progress_(progress),
        pages_(memory),
        packers_(packing_threads(backend.n_threads())) {
    for (const Piece& piece : pieces_) n_bytes_ += piece.n_bytes;
  }

  void run() {
    const int n_packing = packing_threads(backend_.n_threads());
    const int n_threads = loading_threads(backend_.n_threads());
    std::vector<std::thread> threads;
    try {
      for (int i = 1; i < n_threads; ++i) {
        threads.emplace_back([this, i, n_packing, n_threads] {
          // Files that are in memory are read by those who pack.
          if (i < n_packing || reader_.wait_for_disk()) work(i, n_threads);
        });
      }
    } catch (const std::system_error&) {
      // Those that could be started take all pieces.
    }
    work(0, n_threads);
    reader_.end_wait();
    for (std::thread& thread : threads) thread.join();
    if (error_) std::rethrow_exception(error_);
    pages_.touch_all();
  }

 private:
  void work(int thread, int n_threads) {
    const size_t part = staging_.size() / size_t(n_threads) / DirectFile::kAlignment * DirectFile::kAlignment;
    const auto own = staging_.subspan(part * size_t(thread), part);
    try {
      for (size_t i = next_.fetch_add(1); i < pieces_.size(); i = next_.fetch_add(1)) {
        if (!load(pieces_[i], own)) return;
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  bool load(const Piece& piece, std::span<std::byte> own) {
    Stage stage(files_, reader_, own);
    std::visit(
        [&](const auto& what) {
          const auto stored = read_piece(what, piece, stage);
          // Who waits for a disk needs no processor; who packs does.
          const Packer packer(packers_);
          pages_.touch_up_to(piece.load->offset_bytes + packed_bytes(what, backend_));
          pack_piece(what, stored, piece, backend_, memory_.data() + piece.load->offset_bytes);
        },
        piece.load->what);
    const std::lock_guard lock(mutex_);
    if (error_) return false;
    n_done_ += piece.n_bytes;
    if (progress_) progress_(n_done_, n_bytes_);
    return true;
  }

  using Semaphore = std::counting_semaphore<kMostPackingThreads>;
  struct Packer {
    explicit Packer(Semaphore& s) : packers(s) { packers.acquire(); }
    ~Packer() { packers.release(); }
    Packer(const Packer&) = delete;
    Packer& operator=(const Packer&) = delete;
    Semaphore& packers;
  };

  const std::vector<Piece> pieces_;
  const SafetensorsFiles& files_;
  StoredReader reader_;
  const Backend& backend_;
  std::span<std::byte> memory_;
  std::span<std::byte> staging_;
  const LoadProgress& progress_;
  Pages pages_;
  Semaphore packers_;
  int64_t n_bytes_ = 0;

  std::atomic<size_t> next_{0};
  std::mutex mutex_;  // guards what follows
  int64_t n_done_ = 0;
  std::exception_ptr error_;
};

}  // namespace

int loading_threads(int n_threads) { return packing_threads(n_threads) + kReadingThreads; }

int64_t staging_bytes(std::span<const WeightLoad> loads, int n_threads) {
  int64_t largest = 0;
  for (const WeightLoad& load : loads) {
    const Cut cut = cut_of(load);
    largest = std::max(largest, stage_bytes(std::min(cut.n_lines, lines_per_piece(cut)) * cut.line_bytes));
  }
  return round_up(largest, DirectFile::kAlignment) * loading_threads(n_threads);
}

int64_t usual_staging_bytes(int n_threads) { return stage_bytes(kPieceBytes) * loading_threads(n_threads); }

void load_weights(std::span<const WeightLoad> loads, const SafetensorsFiles& files, const Backend& backend,
                  std::span<std::byte> memory, std::span<std::byte> staging, const LoadProgress& progress) {
  Loader(loads, files, backend, memory, staging, progress).run();
}

}  // namespace paro
