// model_settings.json: what people set for a model, in the spelling of servers that read the same file. Parsing only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace paro::server {

// What is not set is left to flags and to generation_config.json.
struct ModelSettings {
  std::optional<float> temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
  std::optional<int> top_k;
  std::optional<int> max_tokens;          // of an answer whose request tells none
  std::optional<int> max_context_window;  // tokens of one sequence
  bool mtp_enabled = false;
  std::string model_alias;          // another id under which the model is asked for
  std::string display_name;         // for people
  std::vector<std::string> unused;  // keys of features that are asked for and not there, or unknown
};

// Settings of one model, or those of `model` in {"models": {NAME: {...}}}. Values that mean nothing, and a file that
// knows no such model, are Error{config}; messages begin with `where`.
ModelSettings parse_model_settings(std::string_view json, std::string_view where, std::string_view model);

}  // namespace paro::server
