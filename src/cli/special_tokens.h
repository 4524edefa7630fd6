// The tokens of a model that stand for something: which ids begin, end and pad a text, which end an answer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/text_model.h"
#include "engine/generation_defaults.h"

namespace paro::cli {

struct SpecialToken {
  int64_t id = 0;
  std::string text;               // empty when there is no tokenizer, or no such token in it
  std::vector<std::string> uses;  // of "bos", "eos", "pad", "stop"
};

// By id. A name in tokenizer_config.json counts before an id in config.json. `text` null: there is no tokenizer.
std::vector<SpecialToken> special_tokens(const ModelConfig& config, const GenerationDefaults& defaults,
                                         const TextModel* text);

}  // namespace paro::cli
