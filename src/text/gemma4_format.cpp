#include "text/gemma4_format.h"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <boost/json/string_view.hpp>
#include <utility>

#include "base/check.h"
#include "text/stream_decoder.h"

namespace paro::text {
namespace {

constexpr std::string_view kChannelOpen = "<|channel>", kChannelClose = "<channel|>";
constexpr std::string_view kCallOpen = "<|tool_call>", kCallClose = "<tool_call|>", kQuote = "<|\"|>";
constexpr std::array kMarkers{kChannelOpen, kChannelClose, kCallOpen, kCallClose, kQuote};
constexpr std::string_view kThoughtHeader = "thought\n";

class Gemma4Parser : public ChatParser {
 public:
  Gemma4Parser(const Tokenizer& tokenizer, bool reads_calls)
      : tokenizer_(tokenizer),
        reads_calls_(reads_calls),
        channel_open_(marker(tokenizer, kChannelOpen)),
        channel_close_(marker(tokenizer, kChannelClose)),
        call_open_(marker(tokenizer, kCallOpen)),
        call_close_(marker(tokenizer, kCallClose)),
        quote_(marker(tokenizer, kQuote)),
        response_open_(tokenizer.token_id("<|tool_response>").value_or(-1)),
        response_close_(tokenizer.token_id("<tool_response|>").value_or(-1)) {
    decoder_.emplace(tokenizer_, true);
  }

  std::vector<ChatDelta> push(int32_t id) override {
    deltas_.clear();
    if (id == quote_) {
      flush_decoder();
      if (state_ == State::call) call_ += kGemma4Quote;
    } else if (id == channel_open_) {
      end_segment(Ending::cut);
      state_ = State::thought_header;
    } else if (id == call_open_) {
      end_segment(Ending::cut);
      if (reads_calls_) state_ = State::call;
    } else if (id == channel_close_) {
      end_segment(in_thought() ? Ending::closed : Ending::cut);
    } else if (id == call_close_) {
      end_segment(Ending::cut);
    } else if (id == response_open_ || id == response_close_) {
      end_segment(Ending::cut);
    } else {
      take(decoder_->push(id));
    }
    return std::exchange(deltas_, {});
  }

  std::vector<ChatDelta> finish() override {
    deltas_.clear();
    end_segment(Ending::cut);
    return std::exchange(deltas_, {});
  }

 private:
  enum class State { content, thought_header, thought, call };
  enum class Ending { closed, cut };

  static int32_t marker(const Tokenizer& tokenizer, std::string_view token) {
    const std::optional<int32_t> id = tokenizer.token_id(token);
    PARO_CHECK(id.has_value(), "a tokenizer without '{}' speaks another format", token);
    return *id;
  }

  void emit(ChatDelta::Kind kind, std::string text) {
    if (!text.empty()) deltas_.push_back({kind, std::move(text)});
  }

  void take(std::string text) {
    if (text.empty()) return;
    switch (state_) {
      case State::content:
        emit(ChatDelta::Kind::content, std::move(text));
        break;
      case State::thought:
        take_thought(std::move(text));
        break;
      case State::call:
        call_ += text;
        break;
      case State::thought_header:
        header_ += text;
        if (header_.starts_with(kThoughtHeader)) {
          state_ = State::thought;
          take_thought(std::exchange(header_, {}).substr(kThoughtHeader.size()));
        } else if (!kThoughtHeader.starts_with(header_)) {  // a channel of another kind: all of it is reasoning
          state_ = State::thought;
          take_thought(std::exchange(header_, {}));
        }
        break;
    }
  }

  // A newline is held back, since the last one before <channel|> belongs to the notation.
  void take_thought(std::string text) {
    if (text.empty()) return;
    if (std::exchange(held_newline_, false)) text.insert(text.begin(), '\n');
    if (text.back() == '\n') {
      text.pop_back();
      held_newline_ = true;
    }
    emit(ChatDelta::Kind::reasoning, std::move(text));
  }

  void flush_decoder() {
    take(decoder_->finish());
    decoder_.emplace(tokenizer_, true);
  }

  // Ends whatever is open, by its own closing marker or by another token; content follows.
  void end_segment(Ending ending) {
    flush_decoder();
    const bool closed = ending == Ending::closed;
    if (state_ == State::thought && held_newline_ && !closed) emit(ChatDelta::Kind::reasoning, "\n");
    if (state_ == State::call) end_call();
    header_.clear();
    call_.clear();
    held_newline_ = false;
    state_ = State::content;
  }

  void end_call() {
    if (std::optional<Gemma4Call> call = parse_gemma4_call(call_)) {
      deltas_.push_back({ChatDelta::Kind::call_started, std::move(call->name)});
      deltas_.push_back({ChatDelta::Kind::call_arguments, std::move(call->arguments)});
      deltas_.push_back({ChatDelta::Kind::call_ended, {}});
      return;
    }
    std::erase(call_, kGemma4Quote);
    emit(ChatDelta::Kind::content, std::exchange(call_, {}));
  }

  bool in_thought() const { return state_ == State::thought || state_ == State::thought_header; }

  const Tokenizer& tokenizer_;
  const bool reads_calls_;
  const int32_t channel_open_, channel_close_, call_open_, call_close_, quote_, response_open_, response_close_;
  std::optional<StreamDecoder> decoder_;
  State state_ = State::content;
  std::string header_;  // of a channel, until it is complete
  std::string call_;    // text of an open call
  bool held_newline_ = false;
  std::vector<ChatDelta> deltas_;
};

// Writes the JSON of a call's arguments while it reads them.
class CallReader {
 public:
  explicit CallReader(std::string_view text) : text_(text) {}

  std::optional<Gemma4Call> read() {
    skip_space();
    if (!text_.substr(at_).starts_with(kPrefix)) return std::nullopt;
    at_ += kPrefix.size();
    const size_t brace = text_.find('{', at_);
    if (brace == std::string_view::npos) return std::nullopt;
    const std::string_view name = trimmed(text_.substr(at_, brace - at_));
    if (name.empty() || name.find_first_of(kStructure) != std::string_view::npos) return std::nullopt;
    at_ = brace;
    if (!read_object(0)) return std::nullopt;
    skip_space();
    if (at_ != text_.size()) return std::nullopt;
    return Gemma4Call{std::string(name), std::move(json_)};
  }

 private:
  static constexpr std::string_view kPrefix = "call:";
  static constexpr std::string_view kSpace = " \t\r\n";
  static constexpr std::string_view kStructure = "{}[],:\xff";
  static constexpr int kMaxDepth = 32;

  static std::string_view trimmed(std::string_view text) {
    const size_t begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
  }

  void skip_space() { at_ = std::min(text_.find_first_not_of(kSpace, at_), text_.size()); }

  bool accept(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void write_string(std::string_view text) { json_ += boost::json::serialize(boost::json::string_view(text)); }

  bool read_value(int depth) {
    skip_space();
    if (at_ == text_.size() || depth > kMaxDepth) return false;
    switch (text_[at_]) {
      case '{':
        return read_object(depth);
      case '[':
        return read_list(depth);
      case kGemma4Quote:
        return read_quoted();
      default:
        return read_bare();
    }
  }

  bool read_object(int depth) {
    if (!accept('{')) return false;
    json_ += '{';
    if (!accept('}')) {
      for (bool first = true; first || accept(','); first = false) {
        if (!first) json_ += ',';
        if (!read_key() || !read_value(depth + 1)) return false;
      }
      if (!accept('}')) return false;
    }
    json_ += '}';
    return true;
  }

  bool read_list(int depth) {
    if (!accept('[')) return false;
    json_ += '[';
    if (!accept(']')) {
      for (bool first = true; first || accept(','); first = false) {
        if (!first) json_ += ',';
        if (!read_value(depth + 1)) return false;
      }
      if (!accept(']')) return false;
    }
    json_ += ']';
    return true;
  }

  bool read_key() {
    skip_space();
    if (at_ < text_.size() && text_[at_] == kGemma4Quote) {
      if (!read_quoted()) return false;
    } else {
      const std::string_view key = trimmed(text_.substr(at_, text_.find_first_of(kStructure, at_) - at_));
      if (key.empty()) return false;
      write_string(key);
      at_ = text_.find_first_of(kStructure, at_);
    }
    json_ += ':';
    return accept(':');
  }

  bool read_quoted() {
    const size_t end = text_.find(kGemma4Quote, at_ + 1);
    if (end == std::string_view::npos) return false;
    write_string(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return true;
  }

  bool read_bare() {
    const size_t end = std::min(text_.find_first_of(",}]\xff", at_), text_.size());
    const std::string_view value = trimmed(text_.substr(at_, end - at_));
    if (value.empty()) return false;
    at_ = end;
    if (value == "true" || value == "false" || value == "null" || is_json_number(value)) {
      json_ += value;
    } else {
      write_string(value);
    }
    return true;
  }

  static bool is_json_number(std::string_view text) {
    size_t at = 0;
    const auto digits = [&] {
      const size_t begin = at;
      while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
      return at - begin;
    };
    const auto accept_any = [&](std::string_view chars) {
      if (at == text.size() || chars.find(text[at]) == std::string_view::npos) return false;
      ++at;
      return true;
    };
    accept_any("-");
    const size_t integer = at;
    const size_t n_digits = digits();
    if (n_digits == 0 || (n_digits > 1 && text[integer] == '0')) return false;
    if (accept_any(".") && digits() == 0) return false;
    if (accept_any("eE")) {
      accept_any("+-");
      if (digits() == 0) return false;
    }
    return at == text.size();
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string json_;
};

}  // namespace

std::span<const std::string_view> gemma4_markers() { return kMarkers; }

std::unique_ptr<ChatParser> make_gemma4_parser(const Tokenizer& tokenizer, bool reads_calls) {
  return std::make_unique<Gemma4Parser>(tokenizer, reads_calls);
}

std::optional<Gemma4Call> parse_gemma4_call(std::string_view text) { return CallReader(text).read(); }

}  // namespace paro::text
