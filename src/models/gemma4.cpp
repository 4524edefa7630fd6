// Gemma 4 text decoder: dense (12B, 31B), mixture of experts (26B-A4B) and small with per-layer embeddings (E2B, E4B).
// Mirrors Gemma4ForCausalLM (gemma4_text) in transformers.
//
// Special here: sandwich norms and a scalar on each layer; sliding and full layers with head dims and rotary
// frequencies of their own; q, k and v normed per head and attention not scaled; on full layers v may be what k_proj
// gives; the experts stand beside a dense MLP, routed from the residual before its norm; the last layers may read keys
// and values of earlier ones; logits are soft-capped and the head is the embedding.
#include "models/gemma4.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "base/error.h"
#include "models/gemma4_config.h"

namespace paro {
namespace {

struct Gemma4Layer {
  Vector input_layernorm, post_attention_layernorm;              // [hidden_size]
  Vector pre_feedforward_layernorm, post_feedforward_layernorm;  // [hidden_size]
  Vector layer_scalar;                                           // [1]

  Linear q_proj;                 // [n_heads * head_dim, hidden_size]
  std::optional<Linear> k_proj;  // [n_kv_heads * head_dim, hidden_size]; none where keys are shared
  std::optional<Linear> v_proj;  // like k_proj; none where values are keys
  Linear o_proj;                 // [hidden_size, n_heads * head_dim]
  Vector q_norm, k_norm;         // [head_dim]
  int kv_layer;                  // whose keys and values it reads, its own or an earlier layer's

  Linear gate_proj, up_proj;  // [intermediate_size, hidden_size]
  Linear down_proj;           // [hidden_size, intermediate_size]

  struct Moe {
    Vector router_scale;      // [hidden_size]
    Linear router_proj;       // [num_experts, hidden_size]
    Vector per_expert_scale;  // [num_experts]
    Experts experts;
    Vector post_feedforward_layernorm_1, post_feedforward_layernorm_2, pre_feedforward_layernorm_2;  // [hidden_size]
  };
  std::optional<Moe> moe;

  struct PerLayerInput {
    Linear gate;        // [hidden_size_per_layer_input, hidden_size]
    Linear projection;  // [hidden_size, hidden_size_per_layer_input]
    Vector post_norm;   // [hidden_size]
  };
  std::optional<PerLayerInput> per_layer_input;
};

class Gemma4 final : public Model {
 public:
  Gemma4(const ModelConfig& config, WeightBinder& weights);
  const ModelSpec& spec() const override { return spec_; }
  Tensor forward(Ops& ops, const Step& step) const override;

 private:
  struct Rope {
    Tensor sliding, full;  // [n, head_dim / 2, 2]
  };

  void load_layer(int i, const std::string& name, WeightBinder& weights);
  Rope rope(Ops& ops, const Batch& batch) const;
  Tensor per_layer_inputs(Ops& ops, Tensor x, const Batch& batch) const;  // [n, n_layers, hidden_size_per_layer_input]
  void write_kv(Ops& ops, int i, Tensor k, Tensor v, const Rope& rope, const Step& step) const;
  void project_kv(Ops& ops, int i, Tensor x, const Rope& rope, const Step& step) const;
  Tensor project_qkv(Ops& ops, int i, Tensor x, const Rope& rope, const Step& step) const;
  Tensor attention(Ops& ops, int i, Tensor q, const Rope& rope, const Batch& batch, const Step& step) const;
  Ops::Router router(const Gemma4Layer& w) const {
    return {.top_k = config_.top_k_experts, .per_expert_scale = w.moe->per_expert_scale};
  }
  Tensor router_logits(Ops& ops, const Gemma4Layer& w, Tensor x) const;  // [n, num_experts]
  Tensor feed_forward(Ops& ops, int i, Tensor x) const;

  Gemma4Config config_;
  ModelSpec spec_;
  std::vector<Gemma4Layer> layers_;
  Table embed_tokens_;  // [vocab_size, hidden_size], tied to the head
  std::optional<Table> lm_head_;
  Vector norm_;                                  // [hidden_size]
  Vector sliding_inv_freq_, full_inv_freq_;      // [head_dim / 2]
  std::optional<Table> embed_tokens_per_layer_;  // [vocab, n_layers * hidden_size_per_layer_input]
  Linear per_layer_model_projection_;            // [n_layers * hidden_size_per_layer_input, hidden_size]
  Vector per_layer_projection_norm_;             // [hidden_size_per_layer_input]
};

// Frequencies of pairs (i, i + head_dim / 2); only the first partial_rotary_factor of them turn.
std::vector<float> inverse_frequencies(int head_dim, double theta, double partial_rotary_factor) {
  std::vector<float> inv_freq(size_t(head_dim / 2), 0.0f);
  const int n_turning = int(partial_rotary_factor * head_dim / 2);
  for (int i = 0; i < n_turning; ++i) inv_freq[size_t(i)] = float(std::pow(theta, -2.0 * i / head_dim));
  return inv_freq;
}

Gemma4::Gemma4(const ModelConfig& config, WeightBinder& weights) : config_(Gemma4Config::read(config)) {
  const Gemma4Config& c = config_;
  const std::string base = config.nested ? "model.language_model." : "model.";
  spec_ = {.vocab_size = c.vocab_size,
           .hidden_size = c.hidden_size,
           .n_layers = c.num_hidden_layers,
           .max_position_embeddings = c.max_position_embeddings,
           .sliding_window = c.sliding_window,
           .n_experts = c.num_experts,
           .experts_per_token = c.top_k_experts};

  embed_tokens_ = weights.table(base + "embed_tokens.weight", c.vocab_size, c.hidden_size,
                                c.tie_word_embeddings ? WeightBinder::Role::head : WeightBinder::Role::embedding);
  if (c.tie_word_embeddings) {
    weights.skip("lm_head.");
  } else {
    lm_head_ = weights.table("lm_head.weight", c.vocab_size, c.hidden_size, WeightBinder::Role::head);
  }
  norm_ = weights.vector(base + "norm.weight", c.hidden_size);
  if (const int ple = c.hidden_size_per_layer_input) {
    const int64_t width = int64_t(c.num_hidden_layers) * ple;
    embed_tokens_per_layer_ = weights.table(base + "embed_tokens_per_layer.weight", c.vocab_size_per_layer_input, width,
                                            WeightBinder::Role::embedding);
    per_layer_model_projection_ =
        weights.linear(base + "per_layer_model_projection", width, c.hidden_size, WeightBinder::Assume::dense);
    per_layer_projection_norm_ = weights.vector(base + "per_layer_projection_norm.weight", ple);
  }
  for (int i = 0; i < c.num_hidden_layers; ++i) load_layer(i, fmt::format("{}layers.{}.", base, i), weights);

  const auto head_dim_of = [&](bool sliding) {
    const auto layer =
        std::find_if(c.layers.begin(), c.layers.end(), [&](const auto& l) { return l.sliding == sliding; });
    return layer == c.layers.end() ? 0 : layer->head_dim;
  };
  sliding_inv_freq_ = weights.constant(inverse_frequencies(head_dim_of(true), c.sliding_rope_theta, 1.0));
  full_inv_freq_ =
      weights.constant(inverse_frequencies(head_dim_of(false), c.full_rope_theta, c.full_partial_rotary_factor));

  for (const char* part : {"model.vision_tower.", "model.audio_tower.", "model.embed_vision.", "model.embed_audio.",
                           "model.multi_modal_projector.", "mtp.", ".mtp."}) {
    weights.skip(part);
  }
}

void Gemma4::load_layer(int i, const std::string& name, WeightBinder& weights) {
  const Gemma4Config& c = config_;
  const auto [sliding, head_dim, n_kv_heads] = c.layers[size_t(i)];
  const auto norm = [&](const std::string& part) { return weights.vector(name + part + ".weight", c.hidden_size); };
  const bool shares_kv = i >= c.first_kv_shared_layer();

  Gemma4Layer w;
  w.input_layernorm = norm("input_layernorm");
  w.post_attention_layernorm = norm("post_attention_layernorm");
  w.pre_feedforward_layernorm = norm("pre_feedforward_layernorm");
  w.post_feedforward_layernorm = norm("post_feedforward_layernorm");
  w.layer_scalar = weights.vector(name + "layer_scalar", 1);

  const std::string attn = name + "self_attn.";
  const int64_t q_size = int64_t(c.num_attention_heads) * head_dim, kv_size = int64_t(n_kv_heads) * head_dim;
  w.q_proj = weights.linear(attn + "q_proj", q_size, c.hidden_size);
  w.o_proj = weights.linear(attn + "o_proj", c.hidden_size, q_size);
  w.q_norm = weights.vector(attn + "q_norm.weight", head_dim);
  if (shares_kv) {
    // Reads the last earlier layer of its type that has keys of its own; files may still hold what it does not use.
    int source = c.first_kv_shared_layer() - 1;
    while (source >= 0 && c.layers[size_t(source)].sliding != sliding) --source;
    if (source < 0) {
      throw Error(ErrorKind::config, "layer {} shares keys, but no earlier layer of its type has its own", i);
    }
    w.kv_layer = layers_[size_t(source)].kv_layer;
    for (const char* part : {"k_proj.", "v_proj.", "k_norm.", "v_norm."}) weights.skip(attn + part);
  } else {
    w.k_proj = weights.linear(attn + "k_proj", kv_size, c.hidden_size);
    if (sliding || !c.attention_k_eq_v) w.v_proj = weights.linear(attn + "v_proj", kv_size, c.hidden_size);
    w.k_norm = weights.vector(attn + "k_norm.weight", head_dim);
    w.kv_layer = int(spec_.kv_layers.size());
    spec_.kv_layers.push_back({n_kv_heads, head_dim, sliding ? CacheKind::sliding : CacheKind::full});
  }

  const int64_t intermediate = int64_t(c.intermediate_size) * (c.use_double_wide_mlp && shares_kv ? 2 : 1);
  w.gate_proj = weights.linear(name + "mlp.gate_proj", intermediate, c.hidden_size);
  w.up_proj = weights.linear(name + "mlp.up_proj", intermediate, c.hidden_size);
  w.down_proj = weights.linear(name + "mlp.down_proj", c.hidden_size, intermediate);

  if (c.enable_moe_block) {
    w.moe.emplace();
    w.moe->router_scale = weights.vector(name + "router.scale", c.hidden_size);
    w.moe->router_proj =
        weights.linear(name + "router.proj", c.num_experts, c.hidden_size, WeightBinder::Assume::dense);
    w.moe->per_expert_scale = weights.vector(name + "router.per_expert_scale", c.num_experts);
    w.moe->experts = weights.experts(name + "experts", i, c.num_experts, c.hidden_size, c.moe_intermediate_size);
    w.moe->post_feedforward_layernorm_1 = norm("post_feedforward_layernorm_1");
    w.moe->post_feedforward_layernorm_2 = norm("post_feedforward_layernorm_2");
    w.moe->pre_feedforward_layernorm_2 = norm("pre_feedforward_layernorm_2");
  }
  if (const int ple = c.hidden_size_per_layer_input) {
    w.per_layer_input = {weights.linear(name + "per_layer_input_gate", ple, c.hidden_size),
                         weights.linear(name + "per_layer_projection", c.hidden_size, ple),
                         norm("post_per_layer_input_norm")};
  }
  layers_.push_back(std::move(w));
}

Gemma4::Rope Gemma4::rope(Ops& ops, const Batch& batch) const {
  return {ops.rope_table(batch.positions, sliding_inv_freq_), ops.rope_table(batch.positions, full_inv_freq_)};
}

// What the token itself and its place among the layers add to each layer.
Tensor Gemma4::per_layer_inputs(Ops& ops, Tensor x, const Batch& batch) const {
  const int64_t ple = config_.hidden_size_per_layer_input, n = batch.n_rows();
  const Shape by_layer{n, config_.num_hidden_layers, ple};
  const Tensor token = ops.embedding(*embed_tokens_per_layer_, batch.token_ids, std::sqrt(float(ple)));
  Tensor projection = ops.linear(x, per_layer_model_projection_);
  ops.scale(projection, 1.0f / std::sqrt(float(config_.hidden_size)));
  projection = ops.rms_norm(projection.reshape(by_layer), per_layer_projection_norm_, config_.rms_norm_eps);
  ops.add(projection, token.reshape(by_layer));
  ops.scale(projection, std::sqrt(0.5f));
  return projection;
}

// Into the cache of layer i. k, v: [n, n_kv_heads * head_dim] as projected
void Gemma4::write_kv(Ops& ops, int i, Tensor k, Tensor v, const Rope& rope, const Step& step) const {
  const Gemma4Layer& w = layers_[size_t(i)];
  const auto [sliding, head_dim, n_kv_heads] = config_.layers[size_t(i)];
  const Shape heads{k.dim(0), n_kv_heads, head_dim};
  v = ops.rms_norm(v.reshape(heads), {}, config_.rms_norm_eps);
  k = ops.rms_norm(k.reshape(heads), w.k_norm, config_.rms_norm_eps);
  ops.rope(k, sliding ? rope.sliding : rope.full);
  ops.append_kv(k, v, step.kv[size_t(w.kv_layer)], step.rows);
}

// Keys and values of rows that ask for nothing. x: normed [n, hidden_size]
void Gemma4::project_kv(Ops& ops, int i, Tensor x, const Rope& rope, const Step& step) const {
  const Gemma4Layer& w = layers_[size_t(i)];
  if (w.v_proj) {
    const auto [k, v] = ops.linears<2>(x, {&*w.k_proj, &*w.v_proj});
    write_kv(ops, i, k, v, rope, step);
  } else {
    const Tensor k = ops.linear(x, *w.k_proj);
    write_kv(ops, i, k, k, rope, step);
  }
}

// Queries [n, n_heads * head_dim]; keys and values of the same rows go into the cache. x: normed [n, hidden_size]
Tensor Gemma4::project_qkv(Ops& ops, int i, Tensor x, const Rope& rope, const Step& step) const {
  const Gemma4Layer& w = layers_[size_t(i)];
  if (w.v_proj) {
    const auto [q, k, v] = ops.linears<3>(x, {&w.q_proj, &*w.k_proj, &*w.v_proj});
    write_kv(ops, i, k, v, rope, step);
    return q;
  }
  const auto [q, k] = ops.linears<2>(x, {&w.q_proj, &*w.k_proj});
  write_kv(ops, i, k, k, rope, step);
  return q;
}

// q: [n, n_heads * head_dim] as projected
Tensor Gemma4::attention(Ops& ops, int i, Tensor q, const Rope& rope, const Batch& batch, const Step& step) const {
  const Gemma4Layer& w = layers_[size_t(i)];
  const auto [sliding, head_dim, n_kv_heads] = config_.layers[size_t(i)];
  const Shape flat = q.shape;
  q = ops.rms_norm(q.reshape({q.dim(0), config_.num_attention_heads, head_dim}), w.q_norm, config_.rms_norm_eps);
  ops.rope(q, sliding ? rope.sliding : rope.full);
  const int window = sliding ? config_.sliding_window : 0;
  const Tensor y = ops.attention(q, step.kv[size_t(w.kv_layer)], batch, 1.0f, window);
  return ops.linear(y.reshape(flat), w.o_proj);
}

// The router's logits of layer w for the residual x.
Tensor Gemma4::router_logits(Ops& ops, const Gemma4Layer& w, Tensor x) const {
  const Tensor router_in = ops.rms_norm(x, w.moe->router_scale, config_.rms_norm_eps);
  ops.scale(router_in, 1.0f / std::sqrt(float(config_.hidden_size)));
  return ops.linear(router_in, w.moe->router_proj);
}

// The dense MLP, and beside it the experts. Experts are chosen first: those that have to be fetched are on their way
// while the MLP runs, and the next layer's likeliest behind them. x: the residual [n, hidden_size]
Tensor Gemma4::feed_forward(Ops& ops, int i, Tensor x) const {
  const Gemma4Layer& w = layers_[size_t(i)];
  const float eps = config_.rms_norm_eps;
  Ops::Routing routing;
  if (w.moe) {
    routing = ops.route(router_logits(ops, w, x), w.moe->experts, router(w));
    if (const Gemma4Layer* next = i + 1 < config_.num_hidden_layers ? &layers_[size_t(i + 1)] : nullptr;
        next != nullptr && ops.is_streamed(next->moe->experts)) {
      const auto scope = ops.scope();
      ops.expect(router_logits(ops, *next, x), next->moe->experts, router(*next));
    }
  }
  const Tensor y = ops.mlp(ops.rms_norm(x, w.pre_feedforward_layernorm, eps), w.gate_proj, w.up_proj, w.down_proj,
                           Activation::gelu_tanh);
  if (!w.moe) return y;

  const Tensor experts =
      ops.moe(ops.rms_norm(x, w.moe->pre_feedforward_layernorm_2, eps), routing, w.moe->experts, Activation::gelu_tanh);
  const Tensor sum = ops.rms_norm(y, w.moe->post_feedforward_layernorm_1, eps);
  ops.add_rms_norm(sum, experts, w.moe->post_feedforward_layernorm_2, eps);
  return sum;
}

Tensor Gemma4::forward(Ops& ops, const Step& step) const {
  const Gemma4Config& c = config_;
  const auto observe = [&](int index, Tensor hidden) {
    if (step.observer != nullptr) (*step.observer)(index, hidden);
  };
  const Batch* batch = &step.rows;
  Rope rope = this->rope(ops, *batch);
  Tensor x = ops.embedding(embed_tokens_, batch->token_ids, std::sqrt(float(c.hidden_size)));
  observe(0, x);
  Tensor per_layer;
  if (c.hidden_size_per_layer_input) per_layer = per_layer_inputs(ops, x, *batch);

  for (int i = 0; i < c.num_hidden_layers; ++i) {
    const Gemma4Layer& w = layers_[size_t(i)];
    const bool is_last_kv = i == c.first_kv_shared_layer() - 1;
    if (is_last_kv) {
      // No layer from here on writes keys that other rows read: only the final rows go on.
      {
        const auto scope = ops.scope();
        project_kv(ops, i, ops.rms_norm(x, w.input_layernorm, c.rms_norm_eps), rope, step);
      }
      batch = &step.final_rows;
      rope = this->rope(ops, *batch);
      x = ops.take_rows(x, step.final_indices);
      if (c.hidden_size_per_layer_input) {
        const Shape by_layer{batch->n_rows(), c.num_hidden_layers, c.hidden_size_per_layer_input};
        const Tensor flat = per_layer.reshape({per_layer.dim(0), by_layer[1] * by_layer[2]});
        per_layer = ops.take_rows(flat, step.final_indices).reshape(by_layer);
      }
    }

    {
      const auto scope = ops.scope();
      const Tensor normed = ops.rms_norm(x, w.input_layernorm, c.rms_norm_eps);
      const Tensor q = w.k_proj && !is_last_kv ? project_qkv(ops, i, normed, rope, step) : ops.linear(normed, w.q_proj);
      ops.add_rms_norm(x, attention(ops, i, q, rope, *batch, step), w.post_attention_layernorm, c.rms_norm_eps);
    }
    const auto scope = ops.scope();
    ops.add_rms_norm(x, feed_forward(ops, i, x), w.post_feedforward_layernorm, c.rms_norm_eps);
    if (w.per_layer_input) {
      const Tensor gate = ops.linear(x, w.per_layer_input->gate);
      const Tensor gated = ops.glu(Activation::gelu_tanh, gate, ops.take_slice(per_layer, i));
      ops.add_rms_norm(x, ops.linear(gated, w.per_layer_input->projection), w.per_layer_input->post_norm,
                       c.rms_norm_eps);
    }
    ops.scale(x, w.layer_scalar);
    if (i + 1 < c.num_hidden_layers) observe(i + 1, x);
  }
  x = ops.rms_norm(x, norm_, c.rms_norm_eps);
  observe(c.num_hidden_layers, x);
  if (step.logit_indices) x = ops.take_rows(x, *step.logit_indices);
  return ops.head(x, lm_head_ ? *lm_head_ : embed_tokens_, c.final_logit_softcapping, step.n_exact, step.logits);
}

}  // namespace

std::unique_ptr<Model> make_gemma4(const ModelConfig& config, WeightBinder& weights) {
  auto model = std::make_unique<Gemma4>(config, weights);
  weights.finish();
  return model;
}

}  // namespace paro
