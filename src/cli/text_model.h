// What turns text into tokens and back: a model's tokenizer, its chat template and its special tokens.
#pragma once

#include <boost/json/array.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/memory_report.h"
#include "text/chat_format.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace paro::cli {

struct TextModel {
  text::Tokenizer tokenizer;
  std::optional<text::ChatTemplate> chat_template;
  std::string template_source;
  std::string bos_token, eos_token, pad_token;  // as tokenizer_config.json names them; may be empty

  // tokenizer.json is required; chat_template.jinja, or the template in tokenizer_config.json, is not. `template_file`
  // takes their place.
  static TextModel load(const std::filesystem::path& model,
                        const std::optional<std::filesystem::path>& template_file = std::nullopt);

  // A conversation, up to where the model answers. Throws Error{chat_template} when there is no template.
  std::vector<int32_t> encode_chat(const boost::json::array& messages, bool think) const;

  // How its answers are read.
  const text::ChatFormat& chat_format() const;

  std::vector<MemoryClass> memory() const;          // for the plan
  std::vector<MemoryClass> serving_memory() const;  // with what grammars of answers need
};

// What serving_memory() of a model would tell; nothing where it has no tokenizer.
std::vector<MemoryClass> text_memory(const std::filesystem::path& model);

}  // namespace paro::cli
