// The settings of an architecture from a config.json of its model_type. What is accepted must be in range; only
// Error{config} may come out.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "models/gemma4_config.h"
#include "require.h"

namespace {

using paro::require;

void check(const paro::Gemma4Config& config) {
  require(config.vocab_size > 0 && config.hidden_size > 0 && config.num_hidden_layers > 0);
  require(config.layers.size() == static_cast<size_t>(config.num_hidden_layers));
  require(config.num_kv_shared_layers >= 0 && config.first_kv_shared_layer() >= 0);
  for (const auto& layer : config.layers) {
    require(layer.head_dim > 0 && layer.n_kv_heads > 0);
    require(config.num_attention_heads % layer.n_kv_heads == 0);
  }
  if (config.enable_moe_block) require(config.top_k_experts > 0 && config.top_k_experts <= config.num_experts);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t n_bytes) {
  paro::allow(paro::ErrorKind::config, [&] {
    check(paro::Gemma4Config::read(
        paro::ModelConfig::parse({reinterpret_cast<const char*>(bytes), n_bytes}, "config.json")));
  });
  return 0;
}
