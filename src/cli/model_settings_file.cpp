#include "cli/model_settings_file.h"

#include "base/file.h"
#include "base/log.h"
#include "cli/model_location.h"

namespace paro::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxFileBytes = 1 << 20;

}  // namespace

server::ModelSettings read_model_settings(const fs::path& model, const std::optional<fs::path>& given) {
  const fs::path file = given ? *given : model / "model_settings.json";
  std::error_code error;
  if (!given && !fs::exists(file, error)) return {};
  return server::parse_model_settings(read_text_file(file, kMaxFileBytes), "'" + file.string() + "'",
                                      model_name(model));
}

void apply_to(EngineOptions& options, const server::ModelSettings& settings) {
  if (options.max_context == 0) options.max_context = settings.max_context_window.value_or(0);
}

void warn_of_unused(const server::ModelSettings& settings, std::string_view mtp_head) {
  for (const std::string& key : settings.unused)
    log::warn("model settings: '{}' is not known, and changes nothing", key);
  if (settings.mtp_enabled) {
    log::warn("model settings: 'mtp_enabled' changes nothing; the model's head for multi-token prediction: {}",
              mtp_head);
  }
}

}  // namespace paro::cli
