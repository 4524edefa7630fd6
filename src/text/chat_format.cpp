#include "text/chat_format.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "text/gemma4_format.h"
#include "text/llama3_format.h"
#include "text/qwen_format.h"
#include "text/stream_decoder.h"

namespace paro::text {
namespace {

namespace json = boost::json;

class PlainParser : public ChatParser {
 public:
  explicit PlainParser(const Tokenizer& tokenizer) : decoder_(tokenizer, true) {}

  std::vector<ChatDelta> push(int32_t id) override { return content(decoder_.push(id)); }
  std::vector<ChatDelta> finish() override { return content(decoder_.finish()); }

 private:
  static std::vector<ChatDelta> content(std::string text) {
    std::vector<ChatDelta> deltas;
    if (!text.empty()) deltas.push_back({ChatDelta::Kind::content, std::move(text)});
    return deltas;
  }

  StreamDecoder decoder_;
};

std::unique_ptr<ChatParser> make_plain(const Tokenizer& tokenizer, const ParserOptions&) {
  return make_plain_parser(tokenizer);
}

// The table: one row for each format.
const std::array kFormats{
    ChatFormat{.name = "gemma4",
               .markers = gemma4_markers(),
               .other_markers = gemma4_other_markers(),
               .thought = kGemma4Thought,
               .tool_results_as_objects = true,
               .make_parser = make_gemma4_parser,
               .call_grammar = gemma4_call},
    ChatFormat{.name = "qwen3.5",
               .markers = qwen_markers(),
               .other_markers = qwen_other_markers(),
               .call_sign = "<function=",
               .thought = kQwenThought,
               .make_parser = make_qwen35_parser,
               .call_grammar = qwen35_call,
               .between_calls = "\n"},
    ChatFormat{.name = "qwen3",
               .markers = qwen_markers(),
               .other_markers = qwen_other_markers(),
               .thought = kQwenThought,
               .make_parser = make_qwen3_parser,
               .call_grammar = qwen3_call,
               .between_calls = "\n"},
    ChatFormat{.name = "llama3",
               .markers = llama3_markers(),
               .make_parser = make_llama3_parser,
               .call_grammar = llama3_call,
               .call_prefix = "<|python_tag|>",
               .has_parallel_calls = false},
    ChatFormat{.name = "plain", .make_parser = make_plain},
};

// A conversation with a call, as the template writes it; nothing where it cannot.
std::string rendered_call(const ChatTemplate& chat_template) {
  const json::object function{{"name", "probe"}, {"arguments", {{"key", "value"}}}};
  const json::object call{{"id", "call_1"}, {"type", "function"}, {"function", function}};
  const json::object context{{"messages",
                              {{{"role", "user"}, {"content", "text"}},
                               {{"role", "assistant"}, {"content", ""}, {"tool_calls", json::array{call}}}}},
                             {"tools", nullptr},
                             {"add_generation_prompt", false},
                             {"bos_token", ""},
                             {"eos_token", ""}};
  try {
    return chat_template.render(context);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

ThoughtState ChatFormat::thought_at_end(const Tokenizer& tokenizer, std::span<const int32_t> prompt) const {
  if (thought.open.empty()) return ThoughtState::closed;
  const std::optional<int32_t> open = tokenizer.token_id(thought.open), close = tokenizer.token_id(thought.close);
  const std::optional<int32_t> turn_open = tokenizer.token_id(thought.turn_open),
                               turn_close = tokenizer.token_id(thought.turn_close);
  for (auto id = prompt.rbegin(); id != prompt.rend(); ++id) {
    if (*id == open) return ThoughtState::open;
    if (*id == close) return ThoughtState::closed;
    if (*id == turn_open || *id == turn_close) break;
  }
  return ThoughtState::possible;
}

std::span<const ChatFormat> chat_formats() { return kFormats; }

const ChatFormat& chat_format_for(const Tokenizer& tokenizer, const ChatTemplate* chat_template) {
  const auto has = [&](std::string_view marker) { return tokenizer.token_id(marker).has_value(); };
  std::optional<std::string> call;
  const auto writes = [&](std::string_view sign) {
    if (sign.empty()) return true;
    if (!call) call = chat_template ? rendered_call(*chat_template) : std::string();
    return call->find(sign) != std::string::npos;
  };
  for (const ChatFormat& format : kFormats)
    if (std::all_of(format.markers.begin(), format.markers.end(), has) && writes(format.call_sign)) return format;
  PARO_CHECK(false, "the last chat format asks for no marker");
  return kFormats.back();
}

std::unique_ptr<ChatParser> make_plain_parser(const Tokenizer& tokenizer) {
  return std::make_unique<PlainParser>(tokenizer);
}

}  // namespace paro::text
