#include "backends/cpu/cpu_backend.h"

#include "backends/cpu/backend_class.h"
#include "backends/cpu/isa.h"
#include "backends/cpu/pack.h"
#include "base/check.h"
#include "base/error.h"
#include "base/processors.h"

namespace paro {
namespace cpu {
namespace {

void check_group(int group_size, int64_t n_in) {
  if (group_size < 32 || group_size > kMaxGroup || group_size % 32 != 0 || n_in % group_size != 0) {
    throw Error(ErrorKind::checkpoint,
                "group_size {} over {} input channels: expected a multiple of 32 up to {} that divides them; use the "
                "reference backend",
                group_size, n_in, kMaxGroup);
  }
}

}  // namespace

CpuBackend::CpuBackend(const Kernels& kernels, int n_threads) : kernels_(kernels), pool_(n_threads) {
  if (n_threads == 1) return;
  for (int i = 0; i < n_threads; ++i) lanes_.push_back(std::make_unique<CpuBackend>(kernels, 1));
}

void CpuBackend::run_lanes(int n_lanes, const std::function<void(int, Backend&)>& body) {
  PARO_CHECK(n_lanes <= n_threads(), "{} lanes of {} threads", n_lanes, n_threads());
  if (lanes_.empty()) return body(0, *this);
  pool_.for_each(n_lanes, [&](int64_t i) { body(int(i), *lanes_[size_t(i)]); });
}

std::string CpuBackend::name() const {
  return fmt::format("cpu ({}, {} thread{})", kernels_.name, n_threads(), n_threads() == 1 ? "" : "s");
}

int64_t CpuBackend::packed_bytes(const MatrixSpec& spec) const {
  if (!is_int4(spec.stored)) return spec.out * DenseLayout(spec.stored, spec.in).row_bytes;
  check_group(spec.group_size, spec.in);
  return Int4Layout(spec).n_bytes();
}

int64_t CpuBackend::packed_bytes(const RotationSpec& spec) const {
  if (spec.krot == 0) return 0;
  check_group(spec.group_size, spec.in);
  return spec.in / spec.group_size * rotation_group_bytes(spec);
}

int64_t CpuBackend::packed_bytes(const TableSpec& spec) const { return TableLayout(spec).n_bytes; }

int64_t CpuBackend::packed_bytes(const ExpertSpec& spec) const {
  check_group(spec.group_size, spec.hidden);
  check_group(spec.group_size, spec.intermediate);
  return ExpertLayout(spec).n_bytes();
}

void CpuBackend::pack(const MatrixSpec& spec, const MatrixPiece& piece, std::byte* packed) const {
  if (is_int4(spec.stored)) {
    pack_int4(kernels_, spec, piece, Int4Layout(spec).block_bytes(), packed);
  } else {
    pack_dense(spec, piece, packed);
  }
}

void CpuBackend::pack(const RotationSpec& spec, const StoredRotation& stored, std::byte* packed) const {
  if (spec.krot > 0) pack_rotation(spec, stored, packed);
}

void CpuBackend::pack(const TableSpec& spec, const TablePiece& piece, std::byte* packed) const {
  pack_table(kernels_, spec, piece, packed);
}

void CpuBackend::pack(const ExpertSpec& spec, ExpertPart part, const MatrixPiece& piece, std::byte* packed) const {
  const ExpertLayout layout(spec);
  if (part == ExpertPart::down) {
    pack_int4(kernels_, spec.down(), piece, layout.down.block_bytes(), packed + layout.down_offset());
  } else {
    const int64_t block_bytes = layout.gate.block_bytes();
    pack_int4(kernels_, spec.gate(), piece, 2 * block_bytes, packed + (part == ExpertPart::up ? block_bytes : 0));
  }
}

int64_t CpuBackend::page_bytes(const KvSpec& spec) const { return spec.n_kv_heads * kv_head_bytes(spec); }

}  // namespace cpu

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
  if (options.n_threads < 0) {
    throw Error(ErrorKind::usage, "threads {}: expected 1 or more, or 0 for all", options.n_threads);
  }
  const int n_threads = options.n_threads == 0 ? default_threads() : options.n_threads;
  return std::make_unique<cpu::CpuBackend>(cpu::kernels_for(options.isa), n_threads);
}

double run_integer_peak(const std::string& isa, int64_t n_rounds) {
  const double n_ops = cpu::kernels_for(isa).peak_ops(n_rounds);
  PARO_CHECK(n_ops > 0, "the integer peak of '{}' summed wrong", isa);
  return n_ops;
}

}  // namespace paro
