// config.json: parsing, and every getter on every key at every depth. Only Error{config} may come out.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "checkpoint/config.h"
#include "require.h"

namespace {

using paro::require;

void allow_config_error(auto&& read) { paro::allow(paro::ErrorKind::config, read); }

// The parser limits the depth of this recursion.
void read_all(const paro::Config& config) {
  auto keys = config.keys();
  keys.emplace_back("absent");
  for (const std::string& key : keys) {
    allow_config_error([&] { config.get_int(key); });
    allow_config_error([&] { config.get_int(key, 1); });
    allow_config_error([&] { config.get_int_in(key, 4, 1, 16); });
    allow_config_error([&] { config.get_float(key); });
    allow_config_error([&] { config.get_float(key, 0.5); });
    allow_config_error([&] { config.get_bool(key); });
    allow_config_error([&] { config.get_bool(key, true); });
    allow_config_error([&] { config.get_string(key); });
    allow_config_error([&] { config.get_string(key, "silu"); });
    allow_config_error([&] { config.get_strings(key); });
    allow_config_error([&] { config.get_ints(key); });
    allow_config_error([&] { read_all(config.get_object(key)); });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t n_bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), n_bytes);
  allow_config_error([&] { read_all(paro::Config::parse(text, "config.json")); });
  allow_config_error([&] {
    const auto config = paro::ModelConfig::parse(text, "config.json");
    require(config.krot >= 1 && config.krot <= 16);
    require(config.group_size == 64 || config.group_size == 128);
    read_all(config.text);
  });
  return 0;
}
