#include "cli/model_parts.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace paro::cli {
namespace {

// The first that a tensor's name contains.
constexpr std::pair<std::string_view, std::string_view> kParts[] = {
    {".experts.", "experts"}, {"router", "router"}, {"self_attn.", "attention"},       {"linear_attn.", "attention"},
    {"mlp.", "dense layers"}, {"lm_head", "head"},  {"per_layer", "per-layer inputs"}, {"embed_tokens", "embedding"},
};

constexpr std::pair<std::string_view, std::string_view> kReasons[] = {
    {"vision", "images are not read"},
    {"multi_modal", "images are not read"},
    {"visual", "images are not read"},
    {"audio", "sound is not read"},
    {"lm_head", "the embedding is the head"},
    {"k_proj", "keys of an earlier layer are read"},
    {"v_proj", "values of an earlier layer are read"},
    {"k_norm", "keys of an earlier layer are read"},
    {"v_norm", "values of an earlier layer are read"},
    {"mtp", "multi-token prediction is not used"},
};

std::string_view part_of(const WeightLoad& load) {
  if (std::holds_alternative<VectorLoad>(load.what)) return "norms and scales";
  for (const auto& [piece, part] : kParts) {
    if (load.name.find(piece) != std::string::npos) return part;
  }
  return "other";
}

std::string_view reason_of(std::string_view pattern) {
  for (const auto& [piece, why] : kReasons) {
    if (pattern.find(piece) != std::string_view::npos) return why;
  }
  return "not needed to generate text";
}

struct Stored {
  std::string_view format;
  std::vector<const StoredTensor*> tensors;
};
Stored stored_of(const MatrixLoad& m) {
  if (is_int4(m.spec.stored)) return {"INT4", {m.codes, m.scales, m.zeros}};
  return {to_string(m.codes->dtype), {m.codes}};
}
Stored stored_of(const RotationLoad& r) { return {"INT4", {r.theta, r.pairs, r.channel_scales}}; }
Stored stored_of(const TableLoad& t) { return {to_string(t.rows->dtype), {t.rows}}; }
Stored stored_of(const VectorLoad& v) { return {to_string(v.stored->dtype), {v.stored}}; }
Stored stored_of(const ConstantLoad&) { return {}; }

}  // namespace

std::vector<ModelPart> parts_of(std::span<const WeightLoad> loads) {
  std::vector<ModelPart> parts;
  for (const WeightLoad& load : loads) {
    const Stored stored = std::visit([](const auto& what) { return stored_of(what); }, load.what);
    if (stored.tensors.empty()) continue;
    const std::string_view name = part_of(load);
    auto part = std::find_if(parts.begin(), parts.end(),
                             [&](const ModelPart& p) { return p.name == name && p.format == stored.format; });
    if (part == parts.end()) part = parts.insert(parts.end(), {std::string(name), std::string(stored.format), 0, 0});
    for (const StoredTensor* tensor : stored.tensors) {
      ++part->n_tensors;
      part->n_bytes += tensor->n_bytes;
    }
  }
  std::stable_sort(parts.begin(), parts.end(),
                   [](const ModelPart& a, const ModelPart& b) { return a.n_bytes > b.n_bytes; });
  return parts;
}

std::vector<SkippedPart> skipped_of(const WeightBinder& binder, const SafetensorsFiles& files) {
  std::vector<SkippedPart> parts;
  for (const std::string& name : binder.left()) {
    const auto& patterns = binder.skip_patterns();
    const auto pattern = std::find_if(patterns.begin(), patterns.end(), [&](const std::string& p) {
      return p.starts_with('.') ? name.find(p) != std::string::npos : name.starts_with(p);
    });
    if (pattern == patterns.end()) continue;
    const std::string_view why = reason_of(*pattern);
    auto part = std::find_if(parts.begin(), parts.end(), [&](const SkippedPart& p) { return p.why == why; });
    if (part == parts.end()) part = parts.insert(parts.end(), {name, std::string(why), 0, 0});
    ++part->n_tensors;
    part->n_bytes += files.find(name)->n_bytes;
  }
  return parts;
}

}  // namespace paro::cli
