// The backend's class. Its ops stand by kind: linear.cpp, head.cpp, route.cpp, moe.cpp, attention.cpp, rows.cpp;
// cpu_backend.cpp has the rest. All of them find the work's shape, hand jobs to the kernels and leave arithmetic to
// those.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/kernels.h"
#include "backends/cpu/layout.h"
#include "base/thread_pool.h"
#include "ops/backend.h"

namespace paro::cpu {

// Experts that `moe` holds at once.
constexpr int kMaxHeldExperts = 16;

class CpuBackend final : public Backend {
 public:
  CpuBackend(const Kernels& kernels, int n_threads);

  std::string name() const override;
  int n_threads() const override { return pool_.n_threads(); }
  void run_lanes(int n_lanes, const std::function<void(int, Backend&)>& body) override;
  KvType default_kv_type() const override { return KvType::f16; }
  TableType default_head_type() const override { return TableType::int8; }

  int64_t packed_bytes(const MatrixSpec& spec) const override;
  int64_t packed_bytes(const RotationSpec& spec) const override;
  int64_t packed_bytes(const TableSpec& spec) const override;
  int64_t packed_bytes(const ExpertSpec& spec) const override;
  void pack(const MatrixSpec& spec, const MatrixPiece& piece, std::byte* packed) const override;
  void pack(const RotationSpec& spec, const StoredRotation& stored, std::byte* packed) const override;
  void pack(const TableSpec& spec, const TablePiece& piece, std::byte* packed) const override;
  void pack(const ExpertSpec& spec, ExpertPart part, const MatrixPiece& piece, std::byte* packed) const override;
  int64_t head_bytes(const TableSpec& spec, int n_exact) const override;
  int64_t page_bytes(const KvSpec& spec) const override;

  int64_t scratch_bytes(const LinearArgs& args) const override;
  int64_t scratch_bytes(const MlpArgs& args) const override;
  int64_t scratch_bytes(const RouteArgs& args) const override;
  int64_t scratch_bytes(const MoeArgs& args) const override;
  int64_t scratch_bytes(const AttentionArgs& args) const override;
  int64_t scratch_bytes(const HeadArgs& args) const override;

  void route(const RouteArgs& args, std::span<std::byte> scratch) override;
  void linear(const LinearArgs& args, std::span<std::byte> scratch) override;
  void mlp(const MlpArgs& args, std::span<std::byte> scratch) override;
  void moe(const MoeArgs& args, std::span<std::byte> scratch) override;
  void head(const HeadArgs& args, std::span<std::byte> scratch) override;
  void append_kv(Tensor k, Tensor v, const KvLayer& kv, const Batch& batch) override;
  void attention(const AttentionArgs& args, std::span<std::byte> scratch) override;

  void embedding(const Table& table, std::span<const int32_t> ids, float scale, Tensor y) override;
  void rms_norm(Tensor x, Vector weight, float eps, Tensor y) override;
  void add_rms_norm(Tensor into, Tensor x, Vector weight, float eps) override;
  void rope_table(std::span<const int32_t> positions, Vector inv_freq, Tensor table) override;
  void rope(Tensor x, Tensor table) override;
  void add(Tensor into, Tensor x) override;
  void scale(Tensor x, float factor) override;
  void scale(Tensor x, Vector factors) override;
  void glu(Activation activation, Tensor gate, Tensor up, Tensor y) override;
  void take_rows(Tensor x, std::span<const int32_t> rows, Tensor y) override;
  void take_slice(Tensor x, int64_t index, Tensor y) override;

 private:
  const Kernels& kernels_;
  ThreadPool pool_;
  std::vector<std::unique_ptr<CpuBackend>> lanes_;  // [n_threads], none of one thread: it is its own lane
};

constexpr Gate gate_of(Activation activation) { return activation == Activation::silu ? Gate::silu : Gate::gelu_tanh; }

// Scratch in the order in which it is taken. Null while only sizes are asked for.
class Scratch {
 public:
  explicit Scratch(std::span<std::byte> memory = {}) : memory_(memory) {}

  template <typename T>
  T* take(int64_t n) {
    const int64_t begin = used_bytes_;
    used_bytes_ += round_up(n * int64_t(sizeof(T)), 64);
    if (memory_.data() == nullptr) return nullptr;
    PARO_CHECK(used_bytes_ <= int64_t(memory_.size()), "scratch of {} bytes is short of {}", memory_.size(),
               used_bytes_);
    return reinterpret_cast<T*>(memory_.data() + begin);
  }
  int64_t used_bytes() const { return used_bytes_; }

 private:
  std::span<std::byte> memory_;
  int64_t used_bytes_ = 0;
};

}  // namespace paro::cpu
