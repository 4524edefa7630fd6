#include "cli/synth_config.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/config.h"
#include "cli/output.h"

namespace paro::cli {

namespace json = boost::json;

namespace {

void cut_vocabulary(json::object& text, int vocab_size) {
  text["vocab_size"] = vocab_size;
  if (text.contains("vocab_size_per_layer_input")) text["vocab_size_per_layer_input"] = vocab_size;
}

// Layers that share keys stay the same part of all, and each kind of them keeps an earlier layer to read from.
int shared_layers(const std::vector<std::string>& types, int64_t n_shared, int64_t n_all) {
  const auto n_layers = int64_t(types.size());
  for (int64_t n = n_shared * n_layers / n_all; n > 0; --n) {
    const std::set<std::string> own(types.begin(), types.end() - n);
    if (std::all_of(types.end() - n, types.end(), [&](const std::string& type) { return own.contains(type); })) {
      return int(n);
    }
  }
  return 0;
}

void cut_layers(json::object& text, const ModelConfig& config, int n_layers) {
  const int64_t n_all = config.text.get_int_in("num_hidden_layers", {}, 1, 1024);
  if (n_layers > n_all) {
    throw Error(ErrorKind::usage, "--layers is {}, expected at most the {} of {}", n_layers, n_all,
                config.text.where());
  }
  text["num_hidden_layers"] = n_layers;
  if (!config.text.has("layer_types")) return;
  std::vector<std::string> types = config.text.get_strings("layer_types");
  types.resize(std::min(types.size(), size_t(n_layers)));
  if (!types.empty()) types.back() = "full_attention";
  text["layer_types"] = json::array(types.begin(), types.end());
  if (const int64_t n_shared = config.text.get_int("num_kv_shared_layers", 0); n_shared > 0) {
    text["num_kv_shared_layers"] = shared_layers(types, n_shared, n_all);
  }
}

}  // namespace

std::string cut_down_config(const std::filesystem::path& file, const CutDown& cut) {
  constexpr int64_t kMaxBytes = 16 << 20;
  const std::string source = read_text_file(file, kMaxBytes);
  const ModelConfig config = ModelConfig::parse(source, file.string());  // with messages that name what is wrong
  json::object root = json::parse(source).as_object();
  json::object& text = config.nested ? root["text_config"].as_object() : root;
  if (cut.n_layers > 0) cut_layers(text, config, cut.n_layers);
  if (cut.vocab_size > 0) cut_vocabulary(text, cut.vocab_size);
  return to_text(root);
}

}  // namespace paro::cli
