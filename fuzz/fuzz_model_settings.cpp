// model_settings.json: of one model, and of several. Only Error{config} may come out, and values within their ranges.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "require.h"
#include "server/model_settings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t n_bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), n_bytes);
  paro::allow(paro::ErrorKind::config, [&] {
    const paro::server::ModelSettings settings = paro::server::parse_model_settings(text, "settings", "demo");
    paro::require(settings.temperature.value_or(0) >= 0 && settings.temperature.value_or(0) <= 2);
    paro::require(settings.top_p.value_or(0) >= 0 && settings.top_p.value_or(0) <= 1);
    paro::require(settings.top_k.value_or(0) >= 0 && settings.max_tokens.value_or(1) >= 1);
    paro::require(settings.max_context_window.value_or(1) >= 1);
  });
  return 0;
}
