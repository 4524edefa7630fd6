// model_settings.json: of one model, and of several. Only Error{config} may come out, and values within their ranges.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "server/model_settings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t n_bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), n_bytes);
  try {
    const paro::server::ModelSettings settings = paro::server::parse_model_settings(text, "settings", "demo");
    if (!(settings.temperature.value_or(0) >= 0 && settings.temperature.value_or(0) <= 2)) std::abort();
    if (!(settings.top_p.value_or(0) >= 0 && settings.top_p.value_or(0) <= 1)) std::abort();
    if (settings.top_k.value_or(0) < 0 || settings.max_tokens.value_or(1) < 1) std::abort();
    if (settings.max_context_window.value_or(1) < 1) std::abort();
  } catch (const paro::Error& error) {
    if (error.kind() != paro::ErrorKind::config) std::abort();
  }
  return 0;
}
