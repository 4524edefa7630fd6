#include "cli/text_model.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "text/answer_grammar.h"

namespace paro::cli {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr int64_t kMaxTokenizerBytes = 256 << 20;
constexpr int64_t kMaxTextBytes = 16 << 20;

json::object read_tokenizer_config(const fs::path& file) {
  if (!fs::exists(file)) return {};
  boost::system::error_code error;
  json::value value = json::parse(read_text_file(file, kMaxTextBytes), error);
  if (error) throw Error(ErrorKind::tokenizer, "'{}' is not JSON: {}", file.string(), error.message());
  if (!value.is_object()) throw Error(ErrorKind::tokenizer, "'{}' holds no JSON object", file.string());
  return std::move(value.get_object());
}

// A token stands as its text, or as an object that holds it.
std::string token_in(const json::object& config, std::string_view key) {
  const json::value* value = config.if_contains(key);
  if (value != nullptr && value->is_object()) value = value->get_object().if_contains("content");
  return value != nullptr && value->is_string() ? std::string(std::string_view(value->get_string())) : std::string();
}

// The template's source; of several named ones the default.
std::optional<std::string> source_of_template(const fs::path& model, const json::object& config) {
  if (const auto file = model / "chat_template.jinja"; fs::exists(file)) return read_text_file(file, kMaxTextBytes);
  const json::value* value = config.if_contains("chat_template");
  if (value == nullptr) return {};
  if (value->is_string()) return std::string(std::string_view(value->get_string()));
  if (!value->is_array()) return {};
  for (const json::value& entry : value->get_array()) {
    if (entry.is_object() && token_in(entry.get_object(), "name") == "default") {
      return token_in(entry.get_object(), "template");
    }
  }
  return {};
}

text::Tokenizer load_tokenizer(const fs::path& model) {
  const fs::path file = model / "tokenizer.json";
  if (!fs::exists(file)) {
    throw Error(ErrorKind::tokenizer, "'{}' holds no tokenizer.json, which this command needs for text",
                model.string());
  }
  try {
    return text::Tokenizer::from_json(read_text_file(file, kMaxTokenizerBytes));
  } catch (const Error& error) {
    throw error.in(file.string());
  }
}

// What parsing left in the heap goes back to the system: the plan counts the tables alone.
void give_back_heap() {
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
}

// Grammars run over a vocabulary that is made of the tokenizer's when the server starts; the model's may have some
// unused ids more.
std::vector<MemoryClass> serving_memory_of(const text::Tokenizer& tokenizer) {
  constexpr int64_t kUnusedIdsBytes = 64 << 10;
  const int64_t n_bytes =
      kUnusedIdsBytes +
      text::answer_vocabulary(tokenizer, text::chat_format_for(tokenizer), {}, tokenizer.vocab_size())->memory_bytes();
  give_back_heap();
  return {{"tokenizer", tokenizer.memory_bytes(), tokenizer.memory_bytes()}, {"grammar vocabulary", n_bytes, n_bytes}};
}

}  // namespace

TextModel TextModel::load(const fs::path& model, const std::optional<fs::path>& template_file) {
  const json::object config = read_tokenizer_config(model / "tokenizer_config.json");
  TextModel text{load_tokenizer(model),        {}, {}, token_in(config, "bos_token"), token_in(config, "eos_token"),
                 token_in(config, "pad_token")};
  const std::optional<std::string> source =
      template_file ? read_text_file(*template_file, kMaxTextBytes) : source_of_template(model, config);
  if (source) {
    text.chat_template.emplace(text::ChatTemplate::parse(*source));
    text.template_source = *source;
  }
  give_back_heap();
  return text;
}

std::vector<int32_t> TextModel::encode_chat(const json::array& messages, bool think) const {
  if (!chat_template) {
    throw Error(ErrorKind::chat_template, "the model has no chat template; use paro generate --raw");
  }
  json::object variables;
  variables["messages"] = messages;
  variables["tools"] = nullptr;
  variables["add_generation_prompt"] = true;
  variables["enable_thinking"] = think;
  variables["bos_token"] = bos_token;
  variables["eos_token"] = eos_token;
  return tokenizer.encode(chat_template->render(variables), false);
}

const text::ChatFormat& TextModel::chat_format() const {
  return text::chat_format_for(tokenizer, chat_template ? &*chat_template : nullptr);
}

std::vector<MemoryClass> TextModel::memory() const {
  return {{"tokenizer", tokenizer.memory_bytes(), tokenizer.memory_bytes()}};
}

std::vector<MemoryClass> TextModel::serving_memory() const { return serving_memory_of(tokenizer); }

std::vector<MemoryClass> text_memory(const fs::path& model) {
  if (!fs::exists(model / "tokenizer.json")) return {};
  std::vector<MemoryClass> classes = serving_memory_of(load_tokenizer(model));
  for (MemoryClass& memory : classes) memory.actual_bytes = 0;
  return classes;
}

}  // namespace paro::cli
