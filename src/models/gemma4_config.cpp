#include "models/gemma4_config.h"

#include <optional>
#include <string>

#include "base/error.h"

namespace paro {

Gemma4Config Gemma4Config::read(const ModelConfig& model) {
  const Config& c = model.text;
  constexpr int64_t kMax = 1 << 20;  // keeps every product of extents within 64 bits
  const auto get = [&](const char* key, int64_t absent, int64_t low = 1) {
    return int(c.get_int_in(key, absent, low, kMax));
  };
  const auto fail = [&](const std::string& message) -> Error {
    return {ErrorKind::config, c.where() + ": " + message};
  };

  Gemma4Config g{};
  g.vocab_size = int(c.get_int_in("vocab_size", 262144, 1, 1 << 24));
  g.hidden_size = get("hidden_size", 2304);
  g.intermediate_size = get("intermediate_size", 9216);
  g.num_hidden_layers = int(c.get_int_in("num_hidden_layers", 30, 1, 512));
  g.num_attention_heads = int(c.get_int_in("num_attention_heads", 8, 1, 1024));
  g.sliding_window = get("sliding_window", 512);
  g.max_position_embeddings = int(c.get_int_in("max_position_embeddings", 131072, 1, 1 << 24));
  g.num_kv_shared_layers = get("num_kv_shared_layers", 0, 0);
  g.hidden_size_per_layer_input = get("hidden_size_per_layer_input", 256, 0);
  g.vocab_size_per_layer_input = int(c.get_int_in("vocab_size_per_layer_input", 262144, 1, 1 << 24));
  g.attention_k_eq_v = c.get_bool("attention_k_eq_v", false);
  g.enable_moe_block = c.get_bool("enable_moe_block", false);
  g.use_double_wide_mlp = c.get_bool("use_double_wide_mlp", false);
  g.tie_word_embeddings = c.get_bool("tie_word_embeddings", true);
  g.rms_norm_eps = float(c.get_float("rms_norm_eps", 1e-6));
  g.final_logit_softcapping = float(c.get_float("final_logit_softcapping", 0));
  if (g.enable_moe_block) {
    g.num_experts = int(c.get_int_in("num_experts", {}, 1, 2048));
    g.top_k_experts = int(c.get_int_in("top_k_experts", {}, 1, g.num_experts));
    g.moe_intermediate_size = int(c.get_int_in("moe_intermediate_size", {}, 1, kMax));
  }
  if (g.hidden_size_per_layer_input > 0 && g.vocab_size_per_layer_input < g.vocab_size) {
    throw fail(fmt::format("vocab_size_per_layer_input is {}, expected at least vocab_size {}",
                           g.vocab_size_per_layer_input, g.vocab_size));
  }
  if (!(g.rms_norm_eps >= 0 && g.rms_norm_eps < 1) || !(g.final_logit_softcapping >= 0)) {
    throw fail(fmt::format("rms_norm_eps is {} and final_logit_softcapping {}, expected 0 or more", g.rms_norm_eps,
                           g.final_logit_softcapping));
  }
  if (g.num_kv_shared_layers >= g.num_hidden_layers) {
    throw fail(fmt::format("num_kv_shared_layers {} leaves none of {} layers with keys of its own",
                           g.num_kv_shared_layers, g.num_hidden_layers));
  }
  if (c.get_string("hidden_activation", "gelu_pytorch_tanh") != "gelu_pytorch_tanh") {
    throw fail(fmt::format("hidden_activation is '{}', expected gelu_pytorch_tanh", c.get_string("hidden_activation")));
  }
  if (c.get_string("use_bidirectional_attention", "vision") == "all") {
    throw fail("use_bidirectional_attention 'all' is an encoder; this program generates text");
  }

  g.sliding_rope_theta = 1e4;
  g.full_rope_theta = 1e6;
  g.full_partial_rotary_factor = 0.25;
  if (c.has("rope_parameters")) {
    const Config rope = c.get_object("rope_parameters");
    if (rope.has("sliding_attention")) {
      const Config sliding = rope.get_object("sliding_attention");
      if (sliding.get_string("rope_type", "default") != "default") {
        throw fail(fmt::format("rope_type '{}' of sliding layers is not known, expected default",
                               sliding.get_string("rope_type")));
      }
      g.sliding_rope_theta = sliding.get_float("rope_theta", 1e4);
    }
    if (rope.has("full_attention")) {
      const Config full = rope.get_object("full_attention");
      const std::string type = full.get_string("rope_type", "default");
      if (type != "proportional" && type != "default") {
        throw fail(fmt::format("rope_type '{}' of full layers is not known, expected proportional or default", type));
      }
      g.full_rope_theta = full.get_float("rope_theta", 1e6);
      g.full_partial_rotary_factor = type == "default" ? 1.0 : full.get_float("partial_rotary_factor", 1.0);
    }
  }
  if (!(g.sliding_rope_theta > 0) || !(g.full_rope_theta > 0)) {
    throw fail(fmt::format("rope_theta is {} on sliding and {} on full layers, expected above 0", g.sliding_rope_theta,
                           g.full_rope_theta));
  }
  if (!(g.full_partial_rotary_factor > 0 && g.full_partial_rotary_factor <= 1)) {
    throw fail(
        fmt::format("partial_rotary_factor is {}, expected above 0 and at most 1", g.full_partial_rotary_factor));
  }

  std::vector<std::string> types;
  if (c.has("layer_types")) {
    types = c.get_strings("layer_types");
    if (int(types.size()) != g.num_hidden_layers) {
      throw fail(fmt::format("layer_types has {} entries, num_hidden_layers is {}", types.size(), g.num_hidden_layers));
    }
  } else {
    for (int i = 0; i < g.num_hidden_layers; ++i) types.push_back((i + 1) % 6 ? "sliding_attention" : "full_attention");
  }
  types.back() = "full_attention";  // as transformers forces it

  const int head_dim = int(c.get_int_in("head_dim", 256, 1, 4096)),
            global_head_dim = int(c.get_int_in("global_head_dim", 512, 1, 4096));
  const int n_kv_heads = get("num_key_value_heads", 4);
  const int n_global_kv_heads = g.attention_k_eq_v ? get("num_global_key_value_heads", n_kv_heads) : n_kv_heads;
  std::optional<Config> per_layer;
  if (c.has("per_layer_config")) per_layer = c.get_object("per_layer_config");
  for (int i = 0; i < g.num_hidden_layers; ++i) {
    const std::string& type = types[size_t(i)];
    if (type != "sliding_attention" && type != "full_attention") {
      throw fail(fmt::format("layer_types[{}] is '{}', expected sliding_attention or full_attention", i, type));
    }
    Layer layer{type == "sliding_attention", head_dim, n_kv_heads};
    if (!layer.sliding) layer = {false, global_head_dim, n_global_kv_heads};
    if (per_layer) {
      layer = {layer.sliding, head_dim, n_kv_heads};
      for (const std::string& key : {type, std::to_string(i)}) {
        if (!per_layer->has(key)) continue;
        const Config own = per_layer->get_object(key);
        layer.head_dim = int(own.get_int_in("head_dim", layer.head_dim, 1, 4096));
        layer.n_kv_heads = int(own.get_int_in("num_key_value_heads", layer.n_kv_heads, 1, kMax));
      }
    }
    if (layer.head_dim % 2 != 0 || g.num_attention_heads % layer.n_kv_heads != 0) {
      throw fail(
          fmt::format("layer {} has {} query heads, {} key heads and head_dim {}; expected a whole number of "
                      "query heads for each key head and an even head_dim",
                      i, g.num_attention_heads, layer.n_kv_heads, layer.head_dim));
    }
    // Frequencies, and keys that are shared, are those of all layers of a kind.
    for (const Layer& other : g.layers) {
      if (other.sliding != layer.sliding) continue;
      if (other.head_dim == layer.head_dim && (other.n_kv_heads == layer.n_kv_heads || g.num_kv_shared_layers == 0))
        break;
      throw fail(fmt::format("layer {} ({}) has head_dim {} and {} key heads, others of its kind {} and {}", i, type,
                             layer.head_dim, layer.n_kv_heads, other.head_dim, other.n_kv_heads));
    }
    g.layers.push_back(layer);
  }
  return g;
}

}  // namespace paro
