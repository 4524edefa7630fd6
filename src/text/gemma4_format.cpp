#include "text/gemma4_format.h"

#include <array>
#include <optional>
#include <utility>

#include "base/check.h"
#include "text/gemma4_call.h"
#include "text/stream_decoder.h"

namespace paro::text {
namespace {

constexpr std::string_view kChannelOpen = "<|channel>", kChannelClose = "<channel|>";
constexpr std::string_view kCallOpen = "<|tool_call>", kCallClose = "<tool_call|>", kQuote = "<|\"|>";
constexpr std::array kMarkers{kChannelOpen, kChannelClose, kCallOpen, kCallClose, kQuote};
constexpr std::string_view kResponseOpen = "<|tool_response>", kResponseClose = "<tool_response|>";
constexpr std::array kOtherMarkers{kResponseOpen, kResponseClose};
constexpr std::string_view kThoughtHeader = "thought\n";

class Gemma4Parser : public ChatParser {
 public:
  Gemma4Parser(const Tokenizer& tokenizer, const ParserOptions& options)
      : tokenizer_(tokenizer),
        reads_calls_(options.reads_calls),
        channel_open_(marker(tokenizer, kChannelOpen)),
        channel_close_(marker(tokenizer, kChannelClose)),
        call_open_(marker(tokenizer, kCallOpen)),
        call_close_(marker(tokenizer, kCallClose)),
        quote_(marker(tokenizer, kQuote)),
        response_open_(tokenizer.token_id(kResponseOpen).value_or(-1)),
        response_close_(tokenizer.token_id(kResponseClose).value_or(-1)),
        state_(options.in_thought ? State::thought_header : State::content) {
    decoder_.emplace(tokenizer_, true);
  }

  std::vector<ChatDelta> push(int32_t id) override {
    deltas_.clear();
    if (id == quote_) {
      flush_decoder();
      if (state_ == State::call) take_call({&kGemma4Quote, 1});
    } else if (id == channel_open_) {
      end_segment(Ending::cut);
      state_ = State::thought_header;
    } else if (id == call_open_) {
      end_segment(Ending::cut);
      if (reads_calls_) begin_call();
    } else if (id == channel_close_) {
      end_segment(Ending::closed);
    } else if (id == call_close_) {
      end_segment(Ending::closed);
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
        take_call(text);
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

  void begin_call() {
    state_ = State::call;
    call_.emplace();
  }

  void take_call(std::string_view text) {
    std::vector<ChatDelta> told;
    call_->push(text, told);
    tell(std::move(told));
  }

  // What turned out to be no call shows without the stand-ins for quotes.
  void tell(std::vector<ChatDelta> told) {
    for (ChatDelta& delta : told) {
      if (delta.kind != ChatDelta::Kind::content) {
        deltas_.push_back(std::move(delta));
        continue;
      }
      std::erase(delta.text, kGemma4Quote);
      emit(delta.kind, std::move(delta.text));
    }
  }

  // Ends whatever is open, by its own closing marker or by another token; content follows.
  void end_segment(Ending ending) {
    flush_decoder();
    if (state_ == State::thought && held_newline_ && ending == Ending::cut) emit(ChatDelta::Kind::reasoning, "\n");
    if (state_ == State::call) {
      std::vector<ChatDelta> told;
      call_->finish(ending, told);
      tell(std::move(told));
    }
    header_.clear();
    held_newline_ = false;
    state_ = State::content;
  }

  const Tokenizer& tokenizer_;
  const bool reads_calls_;
  const int32_t channel_open_, channel_close_, call_open_, call_close_, quote_, response_open_, response_close_;
  std::optional<StreamDecoder> decoder_;
  State state_;
  std::string header_;                    // of a channel, until it is complete
  std::optional<Gemma4CallReader> call_;  // the last one
  bool held_newline_ = false;
  std::vector<ChatDelta> deltas_;
};

}  // namespace

std::span<const std::string_view> gemma4_markers() { return kMarkers; }

std::span<const std::string_view> gemma4_other_markers() { return kOtherMarkers; }

std::unique_ptr<ChatParser> make_gemma4_parser(const Tokenizer& tokenizer, const ParserOptions& options) {
  return std::make_unique<Gemma4Parser>(tokenizer, options);
}

}  // namespace paro::text
