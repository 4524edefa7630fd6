#include "cli/special_tokens.h"

#include <map>
#include <optional>
#include <utility>

namespace paro::cli {
namespace {

std::vector<int64_t> configured_ids(const ModelConfig& config, const std::string& key) {
  for (const Config* source : {&config.text, &config.root}) {
    if (source->has(key)) return source->get_ints(key);
  }
  return {};
}

std::string text_of(int64_t id, const TextModel* text) {
  if (text == nullptr || id >= text->tokenizer.vocab_size()) return {};
  const auto token = int32_t(id);
  return text->tokenizer.decode({&token, 1}, /*skip_special_tokens=*/false);
}

}  // namespace

std::vector<SpecialToken> special_tokens(const ModelConfig& config, const GenerationDefaults& defaults,
                                         const TextModel* text) {
  std::map<int64_t, SpecialToken> by_id;
  const auto add = [&](int64_t id, const char* use) {
    if (id < 0) return;  // some configs write "none" so
    SpecialToken& token = by_id.try_emplace(id, SpecialToken{id, text_of(id, text), {}}).first->second;
    token.uses.emplace_back(use);
  };
  constexpr std::pair<const char*, std::string TextModel::*> kUses[] = {
      {"bos", &TextModel::bos_token}, {"eos", &TextModel::eos_token}, {"pad", &TextModel::pad_token}};
  for (const auto& [use, name] : kUses) {
    std::optional<int32_t> named;
    if (text != nullptr && !(text->*name).empty()) named = text->tokenizer.token_id(text->*name);
    if (named) {
      add(*named, use);
    } else {
      for (const int64_t id : configured_ids(config, std::string(use) + "_token_id")) add(id, use);
    }
  }
  for (const int32_t id : defaults.stop_tokens) add(id, "stop");

  std::vector<SpecialToken> tokens;
  for (auto& [id, token] : by_id) tokens.push_back(std::move(token));
  return tokens;
}

}  // namespace paro::cli
