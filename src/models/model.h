// What an architecture is to the engine: facts from its config, and one function that runs a step.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "checkpoint/config.h"
#include "models/weight_binder.h"
#include "ops/batch.h"
#include "ops/ops.h"

namespace paro {

// A layer that keeps keys and values of its own.
struct KvLayerSpec {
  int n_kv_heads = 0;
  int head_dim = 0;
  CacheKind kind = CacheKind::full;
};

struct ModelSpec {
  int vocab_size = 0;
  int hidden_size = 0;
  int n_layers = 0;
  int max_position_embeddings = 0;
  int sliding_window = 0;  // 0: no layer has one
  int n_experts = 0;       // of a layer; 0: dense
  int experts_per_token = 0;
  std::vector<KvLayerSpec> kv_layers;
};

// Sees hidden states [n, hidden_size] after the embedding (index 0) and after each layer, the last one normed. Layers
// that no other row needs see the final rows alone.
using HiddenObserver = std::function<void(int index, Tensor hidden)>;

struct Step {
  Batch rows;                              // all rows of the step
  Batch final_rows;                        // those whose final hidden states are asked for
  std::span<const int32_t> final_indices;  // their indices in rows, ascending
  std::span<const int32_t> n_exact;        // how many of a row's best logits count, 0: all; empty: all of all rows
  std::span<const KvLayer> kv;             // as ModelSpec::kv_layers
  const HiddenObserver* observer = nullptr;
  // Those of final_rows whose logits are asked for, ascending. Absent: all of them.
  std::optional<std::span<const int32_t>> logit_indices = {};
  std::optional<Tensor> logits = {};  // where they are to lie; absent: in the arena
};

class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelSpec& spec() const = 0;
  // Logits f32 [rows that ask for them, vocab_size].
  virtual Tensor forward(Ops& ops, const Step& step) const = 0;
};

// One row of the table of architectures.
struct Architecture {
  std::string_view model_type;  // as in config.json, of the language model
  // Binds every weight through `weights`; throws Error{config} or Error{checkpoint}.
  std::unique_ptr<Model> (*make)(const ModelConfig& config, WeightBinder& weights);
};

// The architecture of a config. Throws Error{config} naming the known ones.
const Architecture& find_architecture(const ModelConfig& config);

}  // namespace paro
