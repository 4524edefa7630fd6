#include "backends/reference/reference_backend.h"

#include "backends/reference/attention.h"
#include "backends/reference/elementwise.h"
#include "backends/reference/matmul.h"
#include "backends/reference/moe.h"
#include "base/check.h"

namespace paro {
namespace {

class ReferenceBackend final : public Backend {
 public:
  std::string name() const override { return "reference (float32, 1 thread)"; }
  int n_threads() const override { return 1; }
  void run_lanes(int n_lanes, const std::function<void(int, Backend&)>& body) override {
    PARO_CHECK(n_lanes == 1, "{} lanes", n_lanes);
    body(0, *this);
  }
  KvType default_kv_type() const override { return KvType::f32; }
  TableType default_head_type() const override { return TableType::as_stored; }

  int64_t packed_bytes(const MatrixSpec& spec) const override { return reference::packed_bytes(spec); }
  int64_t packed_bytes(const RotationSpec& spec) const override { return reference::packed_bytes(spec); }
  int64_t packed_bytes(const TableSpec& spec) const override { return reference::packed_bytes(spec); }
  int64_t packed_bytes(const ExpertSpec& spec) const override { return reference::packed_bytes(spec); }
  void pack(const MatrixSpec& spec, const MatrixPiece& piece, std::byte* packed) const override {
    reference::pack(spec, piece, packed);
  }
  void pack(const RotationSpec& spec, const StoredRotation& stored, std::byte* packed) const override {
    reference::pack(spec, stored, packed);
  }
  void pack(const TableSpec& spec, const TablePiece& piece, std::byte* packed) const override {
    reference::pack(spec, piece, packed);
  }
  void pack(const ExpertSpec& spec, ExpertPart part, const MatrixPiece& piece, std::byte* packed) const override {
    reference::pack(spec, part, piece, packed);
  }
  int64_t head_bytes(const TableSpec& spec, int) const override { return packed_bytes(spec); }
  int64_t page_bytes(const KvSpec& spec) const override { return reference::page_bytes(spec); }

  int64_t scratch_bytes(const LinearArgs& args) const override { return reference::scratch_bytes(args); }
  int64_t scratch_bytes(const MlpArgs& args) const override { return reference::scratch_bytes(args); }
  int64_t scratch_bytes(const RouteArgs& args) const override { return reference::scratch_bytes(args); }
  int64_t scratch_bytes(const MoeArgs& args) const override { return reference::scratch_bytes(args); }
  int64_t scratch_bytes(const AttentionArgs& args) const override { return reference::scratch_bytes(args); }
  int64_t scratch_bytes(const HeadArgs&) const override { return 0; }

  void route(const RouteArgs& args, std::span<std::byte> scratch) override { reference::route(args, scratch); }
  void linear(const LinearArgs& args, std::span<std::byte> scratch) override { reference::linear(args, scratch); }
  void mlp(const MlpArgs& args, std::span<std::byte> scratch) override { reference::mlp(args, scratch); }
  void moe(const MoeArgs& args, std::span<std::byte> scratch) override { reference::moe(args, scratch); }
  void head(const HeadArgs& args, std::span<std::byte>) override { reference::head(args); }
  void append_kv(Tensor k, Tensor v, const KvLayer& kv, const Batch& batch) override {
    reference::append_kv(k, v, kv, batch);
  }
  void attention(const AttentionArgs& args, std::span<std::byte> scratch) override {
    reference::attention(args, scratch);
  }
  void embedding(const Table& table, std::span<const int32_t> ids, float factor, Tensor y) override {
    reference::embedding(table, ids, factor, y);
  }
  void rms_norm(Tensor x, Vector weight, float eps, Tensor y) override { reference::rms_norm(x, weight, eps, y); }
  void add_rms_norm(Tensor into, Tensor x, Vector weight, float eps) override {
    reference::add_rms_norm(into, x, weight, eps);
  }
  void rope_table(std::span<const int32_t> positions, Vector inv_freq, Tensor table) override {
    reference::rope_table(positions, inv_freq, table);
  }
  void rope(Tensor x, Tensor table) override { reference::rope(x, table); }
  void add(Tensor into, Tensor x) override { reference::add(into, x); }
  void scale(Tensor x, float factor) override { reference::scale(x, Vector{&factor, 1}); }
  void scale(Tensor x, Vector factors) override { reference::scale(x, factors); }
  void glu(Activation activation, Tensor gate, Tensor up, Tensor y) override {
    reference::glu(activation, gate, up, y);
  }
  void take_rows(Tensor x, std::span<const int32_t> rows, Tensor y) override { reference::take_rows(x, rows, y); }
  void take_slice(Tensor x, int64_t index, Tensor y) override { reference::take_slice(x, index, y); }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace paro
