#include "server/message_answer.h"

#include <boost/json/parse.hpp>
#include <utility>

#include "server/error_dialect.h"
#include "server/event_frame.h"
#include "server/identifiers.h"

namespace paro::server {
namespace {

namespace json = boost::json;
using Kind = text::ChatDelta::Kind;

constexpr int kMaxInputDepth = 64;

// Clients hand thoughts back with their signature, which nobody here reads.
constexpr std::string_view kSignature = "unsigned";

json::object text_block(std::string_view text) {
  json::object block;
  block["type"] = "text";
  block["text"] = text;
  return block;
}

json::object thinking_block(std::string_view thinking, std::string_view signature) {
  json::object block;
  block["type"] = "thinking";
  block["thinking"] = thinking;
  block["signature"] = signature;
  return block;
}

json::object tool_use_block(std::string_view name) {
  json::object block;
  block["type"] = "tool_use";
  block["id"] = random_id("toolu_");
  block["name"] = name;
  block["input"] = json::object();
  return block;
}

json::object parsed_input(const std::string& arguments) {
  json::parse_options limits;
  limits.max_depth = kMaxInputDepth;
  boost::system::error_code failure;
  json::value input = json::parse(arguments, failure, {}, limits);
  return !failure && input.is_object() ? std::move(input.get_object()) : json::object();
}

// The tokens of the prompt count where they came from: `n_cached_tokens` were there.
json::object usage_of(size_t n_prompt_tokens, int n_cached_tokens, int n_output_tokens) {
  json::object usage;
  usage["input_tokens"] = static_cast<int64_t>(n_prompt_tokens) - n_cached_tokens;
  usage["cache_creation_input_tokens"] = 0;
  usage["cache_read_input_tokens"] = n_cached_tokens;
  usage["output_tokens"] = n_output_tokens;
  return usage;
}

json::object usage_of(const AnswerState& answer) {
  const Choice& choice = answer.choices.front();
  return usage_of(answer.n_prompt_tokens, choice.end().n_cached_tokens, choice.n_tokens());
}

json::object event_of(std::string_view type) {
  json::object event;
  event["type"] = type;
  return event;
}

}  // namespace

MessageAnswer::MessageAnswer(const text::ChatFormat& format, const text::Tokenizer& tokenizer, Options options)
    : format_(format), tokenizer_(tokenizer), options_(std::move(options)), id_(random_id("msg_")) {}

std::string MessageAnswer::opening(const AnswerState& answer) {
  json::object event = event_of("message_start");
  event["message"] = message(answer);
  return event_frame("message_start", event);
}

std::string MessageAnswer::piece(const AnswerState&, size_t, const ChoicePiece& piece) {
  std::string frames;
  for (const text::ChatDelta& part : piece.deltas) {
    switch (part.kind) {
      case Kind::content:
        if (open_ != BlockKind::text) frames += start_block(BlockKind::text, {});
        frames += delta("text_delta", "text", part.text);
        break;
      case Kind::reasoning:
        if (open_ != BlockKind::thinking) frames += start_block(BlockKind::thinking, {});
        if (options_.shows_thinking) frames += delta("thinking_delta", "thinking", part.text);
        break;
      case Kind::call_started:
        frames += start_block(BlockKind::tool_use, part.text);
        break;
      case Kind::call_arguments:
        frames += delta("input_json_delta", "partial_json", part.text);
        break;
      case Kind::call_ended:
        frames += stop_block();
        break;
    }
  }
  return frames;
}

std::string MessageAnswer::closing(const AnswerState& answer, size_t index, const ChoicePiece&) {
  std::string frames = stop_block();
  json::object event = event_of("message_delta");
  event["delta"] = stop_of(answer.choices[index]);
  event["usage"] = usage_of(answer);
  return frames.append(event_frame("message_delta", event));
}

std::string MessageAnswer::ending(const AnswerState&) { return event_frame("message_stop", event_of("message_stop")); }

std::string MessageAnswer::failure(const AnswerState& answer, const ApiError& error) {
  return event_frame("error", error_answer(error, Dialect::anthropic, answer.request_id).body);
}

json::value MessageAnswer::whole(const AnswerState& answer, const std::vector<ChoicePiece>& pieces) {
  json::array content;
  std::string arguments;
  for (const text::ChatDelta& part : pieces.front().deltas) {
    switch (part.kind) {
      case Kind::content:
        content.emplace_back(text_block(part.text));
        break;
      case Kind::reasoning:
        content.emplace_back(thinking_block(options_.shows_thinking ? part.text : "", kSignature));
        break;
      case Kind::call_started:
        content.emplace_back(tool_use_block(part.text));
        arguments.clear();
        break;
      case Kind::call_arguments:
        arguments += part.text;
        break;
      case Kind::call_ended:
        content.back().get_object()["input"] = parsed_input(arguments);
        break;
    }
  }
  json::object body = message(answer);
  body["content"] = std::move(content);
  for (auto& [name, value] : stop_of(answer.choices.front())) body[name] = value;
  body["usage"] = usage_of(answer);
  return body;
}

// Without content and end.
json::object MessageAnswer::message(const AnswerState& answer) const {
  json::object message;
  message["id"] = id_;
  message["type"] = "message";
  message["role"] = "assistant";
  message["model"] = answer.model_id;
  message["content"] = json::array();
  message["stop_reason"] = nullptr;
  message["stop_sequence"] = nullptr;
  message["usage"] = usage_of(answer.n_prompt_tokens, 0, 0);
  return message;
}

json::object MessageAnswer::stop_of(const Choice& choice) const {
  const auto reason = [&]() -> std::string_view {
    if (choice.finish_reason() == "tool_calls") return "tool_use";
    if (choice.finish_reason() == "length")
      return choice.n_tokens() < options_.max_tokens ? "model_context_window_exceeded" : "max_tokens";
    return choice.stopped() ? "stop_sequence" : "end_turn";
  }();
  json::object stop;
  stop["stop_reason"] = reason;
  stop["stop_sequence"] = reason == "stop_sequence" ? json::value(choice.stop_string()) : json::value(nullptr);
  return stop;
}

std::string MessageAnswer::start_block(BlockKind kind, const std::string& name) {
  std::string frames = stop_block();
  json::object event = event_of("content_block_start");
  event["index"] = n_blocks_++;
  event["content_block"] = kind == BlockKind::text       ? text_block("")
                           : kind == BlockKind::thinking ? thinking_block("", "")
                                                         : tool_use_block(name);
  open_ = kind;
  return frames.append(event_frame("content_block_start", event));
}

std::string MessageAnswer::delta(std::string_view type, std::string_view member, std::string_view text) const {
  json::object delta = event_of(type);
  delta[member] = text;
  json::object event = event_of("content_block_delta");
  event["index"] = n_blocks_ - 1;
  event["delta"] = std::move(delta);
  return event_frame("content_block_delta", event);
}

std::string MessageAnswer::stop_block() {
  if (!open_) return {};
  std::string frames;
  if (open_ == BlockKind::thinking) frames = delta("signature_delta", "signature", kSignature);
  open_.reset();
  json::object event = event_of("content_block_stop");
  event["index"] = n_blocks_ - 1;
  return frames.append(event_frame("content_block_stop", event));
}

}  // namespace paro::server
