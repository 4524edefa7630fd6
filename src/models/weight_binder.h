// Gives a model its weights by name. The same model code binds twice: once without memory, to learn how many bytes the
// backend's layout takes, and once over the memory that was planned, to get handles and the list of what to load.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "checkpoint/config.h"
#include "checkpoint/weight_map.h"
#include "ops/backend.h"
#include "ops/weights.h"

namespace paro {

// What is to be read and packed, and where: offsets count from the start of the weight memory.
struct MatrixLoad {
  MatrixSpec spec;
  const StoredTensor* codes = nullptr;  // a dense matrix has these alone
  const StoredTensor* scales = nullptr;
  const StoredTensor* zeros = nullptr;
  struct OfExpert {
    ExpertSpec spec;
    ExpertPart part;
  };
  std::optional<OfExpert> expert;  // then the offset is the expert's
};
struct RotationLoad {
  RotationSpec spec;
  const StoredTensor* theta = nullptr;
  const StoredTensor* pairs = nullptr;
  const StoredTensor* channel_scales = nullptr;
};
struct TableLoad {
  TableSpec spec;
  const StoredTensor* rows = nullptr;
  bool is_head = false;  // multiplied with, not only looked up in
};
struct VectorLoad {
  const StoredTensor* stored = nullptr;
  float plus = 0;  // added to each element
};
struct ConstantLoad {
  std::vector<float> values;
};
struct WeightLoad {
  std::string name;
  int64_t offset_bytes = 0;
  std::variant<MatrixLoad, RotationLoad, TableLoad, VectorLoad, ConstantLoad> what;
};

// A tensor that a config alone asks for: what a checkpoint of it stores, and what its elements are.
enum class TensorPart : uint8_t { codes, scales, zeros, theta, pairs, channel_scales, matrix, table, vector };
struct WantedTensor {
  std::string name;
  TensorPart part = TensorPart::vector;
  DType dtype = DType::f16;
  Shape shape;
  float plus = 0;  // added to each element of a vector when it is loaded
};

// The experts of one layer: where they lie in the weight memory, or, where they are streamed, what to read each from.
struct ExpertRegion {
  int layer = 0;
  int n_experts = 0;
  int64_t offset_bytes = 0;  // resident ones alone
  int64_t expert_bytes = 0;  // from one expert to the next
  ExpertSpec spec;
  std::vector<std::array<MatrixLoad, 3>> parts = {};  // gate, up and down of each expert; streamed ones alone

  int64_t n_bytes() const { return n_experts * expert_bytes; }
};

class WeightBinder {
 public:
  struct Options {
    TableType head_type = TableType::int8;
    ExpertSource* experts = nullptr;
    bool stream_experts = false;  // they take no weight memory, and are not among the loads
  };

  // files null: a config alone, whose linears are taken to be INT4 unless bound as dense. memory null: sizes only.
  WeightBinder(const Backend& backend, const ModelConfig& config, const SafetensorsFiles* files, std::byte* memory,
               const Options& options);

  // y [.., out] = W x [.., in] of tensor `name`.weight, or INT4 by `name`.qweight and its companions, or the older
  // native layout: by what is stored. `assume` is for a config without files.
  enum class Assume { int4, dense };
  Linear linear(const std::string& name, int64_t out, int64_t in, Assume assume = Assume::int4);

  // Tensor `name` of n elements as float32, each with `plus` added.
  Vector vector(const std::string& name, int64_t n, float plus = 0);
  Vector constant(std::vector<float> values);

  // Tensor `name` [rows, cols]. A head, tied or not, is held as --head-type says, an embedding alone as stored.
  enum class Role { embedding, head };
  Table table(const std::string& name, int64_t rows, int64_t cols, Role role);

  // Experts 0..n-1 under `base` (base.E.gate_proj.qweight ...) and their shared rotations.
  Experts experts(const std::string& base, int layer, int n_experts, int64_t hidden, int64_t intermediate);

  // Stored tensors that contain (leading '.') or begin with `pattern` need not be bound.
  void skip(std::string pattern) { skip_.push_back(std::move(pattern)); }

  // Throws Error{checkpoint} unless every stored tensor was bound or is skipped.
  void finish();

  int64_t n_bytes() const { return n_bytes_; }
  const std::vector<WeightLoad>& loads() const { return loads_; }
  const std::vector<ExpertRegion>& expert_regions() const { return expert_regions_; }

  // Without files: the tensors that were asked for, in order.
  const std::vector<WantedTensor>& wanted() const { return wanted_; }
  // With files: stored tensors that were not bound, and the patterns that allow it.
  std::vector<std::string> left() const { return map_ ? map_->left() : std::vector<std::string>(); }
  const std::vector<std::string>& skip_patterns() const { return skip_; }

 private:
  std::byte* place(int64_t n_bytes);
  // The stored tensor. Without files it is noted as wanted, and null.
  const StoredTensor* take(TensorPart part, const std::string& name, std::initializer_list<DType> dtypes,
                           const Shape& shape, float plus = 0);
  const StoredTensor* take_dense(TensorPart part, const std::string& name, const Shape& shape, float plus = 0);
  Rotation rotation(const std::string& theta, const std::string& pairs, const std::string& channel_scales, int64_t in);
  MatrixLoad int4_matrix(const std::string& name, const MatrixSpec& spec);
  Linear int4_linear(const std::string& name, int64_t out, int64_t in, StoredFormat stored);
  Linear dense_linear(const std::string& name, int64_t out, int64_t in);
  StoredFormat dense_format(const StoredTensor* stored) const;
  void check_groups(const std::string& name, int64_t out, int64_t in) const;

  const Backend& backend_;
  const ModelConfig& config_;
  const SafetensorsFiles* files_;
  std::optional<WeightMap> map_;
  std::byte* memory_;
  Options options_;
  int64_t n_bytes_ = 0;
  std::vector<WeightLoad> loads_;
  std::vector<ExpertRegion> expert_regions_;
  std::vector<std::string> skip_;
  std::vector<WantedTensor> wanted_;
};

}  // namespace paro
