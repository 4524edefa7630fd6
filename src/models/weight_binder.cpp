#include "models/weight_binder.h"

#include <utility>

#include "base/align.h"
#include "base/check.h"
#include "base/error.h"
#include "tensor/buffer.h"

namespace paro {

WeightBinder::WeightBinder(const Backend& backend, const ModelConfig& config, const SafetensorsFiles* files,
                           std::byte* memory, const Options& options)
    : backend_(backend), config_(config), files_(files), memory_(memory), options_(options) {
  if (files_ != nullptr) map_.emplace(*files_);
}

std::byte* WeightBinder::place(int64_t n_bytes) {
  const int64_t offset = n_bytes_;
  n_bytes_ += round_up(n_bytes, Buffer::kAlignment);
  return memory_ == nullptr ? nullptr : memory_ + offset;
}

const StoredTensor* WeightBinder::take(TensorPart part, const std::string& name, std::initializer_list<DType> dtypes,
                                       const Shape& shape, float plus) {
  if (map_) return &map_->take(name, dtypes, shape);
  wanted_.push_back({name, part, *dtypes.begin(), shape, plus});
  return nullptr;
}

const StoredTensor* WeightBinder::take_dense(TensorPart part, const std::string& name, const Shape& shape, float plus) {
  if (!map_ && dense_format(nullptr) == StoredFormat::bf16) return take(part, name, {DType::bf16}, shape, plus);
  return take(part, name, {DType::f16, DType::bf16, DType::f32}, shape, plus);
}

StoredFormat WeightBinder::dense_format(const StoredTensor* stored) const {
  if (stored == nullptr)
    return config_.text.get_string("dtype", "bfloat16") == "float16" ? StoredFormat::f16 : StoredFormat::bf16;
  switch (stored->dtype) {
    case DType::f16:
      return StoredFormat::f16;
    case DType::bf16:
      return StoredFormat::bf16;
    default:
      return StoredFormat::f32;
  }
}

void WeightBinder::check_groups(const std::string& name, int64_t out, int64_t in) const {
  if (in % config_.group_size == 0 && out % 8 == 0) return;
  throw Error(ErrorKind::config,
              "{}: '{}' [{}, {}] cannot be INT4 in groups of {}: the inputs must be whole groups and the outputs a "
              "multiple of 8; is group_size right?",
              config_.root.where(), name, out, in, config_.group_size);
}

Linear WeightBinder::linear(const std::string& name, int64_t out, int64_t in, Assume assume) {
  if (!map_) {
    if (assume == Assume::dense) return dense_linear(name, out, in);
    return int4_linear(name, out, in, StoredFormat::int4_awq);
  }
  if (map_->has(name + ".qlinear.qweight")) return int4_linear(name, out, in, StoredFormat::int4_native);
  if (map_->has(name + ".weight")) return dense_linear(name, out, in);
  return int4_linear(name, out, in, StoredFormat::int4_awq);
}

Linear WeightBinder::dense_linear(const std::string& name, int64_t out, int64_t in) {
  const StoredTensor* stored = take_dense(TensorPart::matrix, name + ".weight", {out, in});
  Linear w;
  w.spec = {out, in, dense_format(stored), 0};
  const int64_t offset = n_bytes_;
  w.packed = place(backend_.packed_bytes(w.spec));
  loads_.push_back({name, offset, MatrixLoad{.spec = w.spec, .codes = stored}});
  if (map_ && map_->has(name + ".bias")) w.bias = vector(name + ".bias", out);
  return w;
}

Linear WeightBinder::int4_linear(const std::string& name, int64_t out, int64_t in, StoredFormat stored) {
  check_groups(name, out, in);
  const bool native = stored == StoredFormat::int4_native;
  const std::string rotation_base = name + (native ? ".rotation" : "");
  Linear w;
  w.spec = {out, in, stored, config_.group_size};
  MatrixLoad load = int4_matrix(name, w.spec);
  const int64_t offset = n_bytes_;
  w.packed = place(backend_.packed_bytes(w.spec));
  loads_.push_back({name, offset, load});
  w.rotation = rotation(rotation_base + ".theta", rotation_base + ".pairs", rotation_base + ".channel_scales", in);
  if (map_ && map_->has(name + ".bias")) w.bias = vector(name + ".bias", out);
  return w;
}

MatrixLoad WeightBinder::int4_matrix(const std::string& name, const MatrixSpec& spec) {
  MatrixLoad load{.spec = spec};
  if (spec.stored == StoredFormat::int4_native) {
    load.codes = take(TensorPart::codes, name + ".qlinear.qweight", {DType::i16}, {spec.out / 4, spec.in});
    load.scales = take(TensorPart::scales, name + ".qlinear.scales", {DType::f16}, {spec.n_groups(), spec.out});
    load.zeros = take(TensorPart::zeros, name + ".qlinear.scaled_zeros", {DType::f16}, {spec.n_groups(), spec.out});
  } else {
    load.codes = take(TensorPart::codes, name + ".qweight", {DType::i32}, {spec.in, spec.out / 8});
    load.scales = take(TensorPart::scales, name + ".scales", {DType::f16}, {spec.n_groups(), spec.out});
    load.zeros = take(TensorPart::zeros, name + ".qzeros", {DType::i32}, {spec.n_groups(), spec.out / 8});
  }
  return load;
}

Rotation WeightBinder::rotation(const std::string& theta, const std::string& pairs, const std::string& channel_scales,
                                int64_t in) {
  Rotation r;
  r.spec = {in, config_.group_size, config_.krot};
  RotationLoad load{.spec = r.spec};
  load.theta = take(TensorPart::theta, theta, {DType::f16}, {config_.krot, in / 2});
  load.pairs = take(TensorPart::pairs, pairs, {DType::i16}, {config_.krot, in});
  const StoredTensor* stored = files_ == nullptr ? nullptr : files_->find(channel_scales);
  const bool flat = stored != nullptr && stored->shape.rank() == 1;
  load.channel_scales = take(TensorPart::channel_scales, channel_scales, {DType::f16}, flat ? Shape{in} : Shape{1, in});
  const int64_t offset = n_bytes_;
  r.packed = place(backend_.packed_bytes(r.spec));
  loads_.push_back({theta, offset, load});
  return r;
}

Vector WeightBinder::vector(const std::string& name, int64_t n, float plus) {
  const StoredTensor* stored = take_dense(TensorPart::vector, name, {n}, plus);
  const int64_t offset = n_bytes_;
  const auto* data = reinterpret_cast<const float*>(place(n * 4));
  loads_.push_back({name, offset, VectorLoad{stored, plus}});
  return {data, n};
}

Vector WeightBinder::constant(std::vector<float> values) {
  const int64_t n = int64_t(values.size()), offset = n_bytes_;
  const auto* data = reinterpret_cast<const float*>(place(n * 4));
  loads_.push_back({"constant", offset, ConstantLoad{std::move(values)}});
  return {data, n};
}

Table WeightBinder::table(const std::string& name, int64_t rows, int64_t cols, Role role) {
  const StoredTensor* stored = take_dense(TensorPart::table, name, {rows, cols});
  Table t;
  t.spec = {rows, cols, dense_format(stored), role == Role::head ? options_.head_type : TableType::as_stored};
  const int64_t offset = n_bytes_;
  t.packed = place(backend_.packed_bytes(t.spec));
  loads_.push_back({name, offset, TableLoad{t.spec, stored, role == Role::head}});
  return t;
}

Experts WeightBinder::experts(const std::string& base, int layer, int n_experts, int64_t hidden, int64_t intermediate) {
  check_groups(base + ".0.gate_proj", intermediate, hidden);
  check_groups(base + ".0.down_proj", hidden, intermediate);
  Experts e;
  e.spec = {hidden, intermediate, StoredFormat::int4_awq, config_.group_size};
  e.layer = layer;
  e.n_experts = n_experts;
  e.source = options_.experts;
  const int64_t expert_bytes = round_up(backend_.packed_bytes(e.spec), Buffer::kAlignment);
  ExpertRegion region{layer, n_experts, n_bytes_, expert_bytes, e.spec};
  if (!options_.stream_experts) place(region.n_bytes());
  for (int i = 0; i < n_experts; ++i) {
    constexpr std::pair<const char*, ExpertPart> kParts[] = {
        {"gate_proj", ExpertPart::gate}, {"up_proj", ExpertPart::up}, {"down_proj", ExpertPart::down}};
    std::array<MatrixLoad, 3> parts;
    for (const auto& [part_name, part] : kParts) {
      const std::string name = fmt::format("{}.{}.{}", base, i, part_name);
      MatrixLoad& load = parts[size_t(part)];
      load = int4_matrix(name, part == ExpertPart::down ? e.spec.down() : e.spec.gate());
      load.expert = {e.spec, part};
      if (!options_.stream_experts) loads_.push_back({name, region.offset_bytes + i * expert_bytes, load});
    }
    if (options_.stream_experts) region.parts.push_back(parts);
  }
  expert_regions_.push_back(std::move(region));
  const auto shared = [&](const std::string& part, int64_t in) {
    const std::string prefix = base + "." + part + "_weight_";
    return rotation(prefix + "theta", prefix + "pairs", prefix + "channel_scales", in);
  };
  e.gate_up = shared("gate_up", hidden);
  e.down = shared("down", intermediate);
  return e;
}

void WeightBinder::finish() {
  if (!map_) return;
  const std::vector<std::string_view> patterns(skip_.begin(), skip_.end());
  map_->check_all_taken(patterns);
}

}  // namespace paro
