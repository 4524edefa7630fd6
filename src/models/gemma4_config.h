// The settings of a Gemma 4 text decoder, as Gemma4TextConfig of transformers has them, checked.
#pragma once

#include <vector>

#include "checkpoint/config.h"

namespace paro {

struct Gemma4Config {
  int vocab_size, hidden_size, intermediate_size, num_hidden_layers;
  int num_attention_heads, sliding_window, max_position_embeddings;
  int num_kv_shared_layers, hidden_size_per_layer_input, vocab_size_per_layer_input;
  bool attention_k_eq_v, enable_moe_block, use_double_wide_mlp, tie_word_embeddings;
  int num_experts, top_k_experts, moe_intermediate_size;
  float rms_norm_eps, final_logit_softcapping;
  double sliding_rope_theta, full_rope_theta, full_partial_rotary_factor;

  struct Layer {
    bool sliding;
    int head_dim, n_kv_heads;
  };
  std::vector<Layer> layers;

  int first_kv_shared_layer() const { return num_hidden_layers - num_kv_shared_layers; }

  // Throws Error{config} for a value that is out of range, unknown, or contradicts another.
  static Gemma4Config read(const ModelConfig& config);
};

}  // namespace paro
