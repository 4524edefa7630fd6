#include "text/qwen_format.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "text/function_call.h"
#include "text/json_call.h"
#include "text/stream_decoder.h"

namespace paro::text {
namespace {

constexpr std::string_view kCallOpen = "<tool_call>", kCallClose = "</tool_call>";
constexpr std::array kMarkers{kCallOpen, kCallClose};
constexpr std::array<std::string_view, 4> kOtherMarkers{kQwenThought.open, kQwenThought.close, "<tool_response>",
                                                        "</tool_response>"};

using MakeReader = std::unique_ptr<CallReader> (*)(const ParserOptions& options);

class QwenParser : public ChatParser {
 public:
  QwenParser(const Tokenizer& tokenizer, const ParserOptions& options, MakeReader make_reader)
      : options_(options),
        make_reader_(make_reader),
        call_open_(tokenizer.token_id(kCallOpen).value_or(-1)),
        call_close_(tokenizer.token_id(kCallClose).value_or(-1)),
        think_open_(tokenizer.token_id(kQwenThought.open).value_or(-1)),
        think_close_(tokenizer.token_id(kQwenThought.close).value_or(-1)),
        decoder_(tokenizer, true) {
    if (options_.in_thought) begin(State::thought);
  }

  std::vector<ChatDelta> push(int32_t id) override {
    deltas_.clear();
    if (id == think_open_) {
      end_segment(Ending::closed);
      begin(State::thought);
    } else if (id == think_close_) {
      end_segment(Ending::closed);
      begin(State::content);
    } else if (id == call_open_ && options_.reads_calls) {
      end_segment(Ending::closed);
      begin(State::call);
      reader_ = make_reader_(options_);
    } else if (id == call_close_ && options_.reads_calls) {
      end_segment(Ending::closed);
      begin(State::content);
    } else {
      take(decoder_.push(id));
    }
    return std::exchange(deltas_, {});
  }

  std::vector<ChatDelta> finish() override {
    deltas_.clear();
    end_segment(Ending::cut);
    state_ = State::content;
    return std::exchange(deltas_, {});
  }

 private:
  enum class State { content, thought, call };

  // Text behind a marker: the newlines that it begins with are the notation's.
  void begin(State state) {
    state_ = state;
    drops_newlines_ = true;
  }

  void take(std::string text) {
    if (state_ == State::call) {
      reader_->push(text, deltas_);
      return;
    }
    if (drops_newlines_) text.erase(0, std::min(text.find_first_not_of('\n'), text.size()));
    if (text.empty()) return;
    drops_newlines_ = false;
    text.insert(0, std::exchange(held_newlines_, 0), '\n');
    const size_t end = text.find_last_not_of('\n') + 1;
    held_newlines_ = text.size() - end;
    text.resize(end);
    emit(std::move(text));
  }

  void emit(std::string text) {
    const auto kind = state_ == State::thought ? ChatDelta::Kind::reasoning : ChatDelta::Kind::content;
    if (!text.empty()) deltas_.push_back({kind, std::move(text)});
  }

  // Newlines before a marker are the notation's, those at the end of an answer its own.
  void end_segment(Ending ending) {
    take(decoder_.finish());
    if (state_ == State::call) reader_->finish(ending, deltas_);
    const size_t n_newlines = std::exchange(held_newlines_, 0);
    if (ending == Ending::cut) emit(std::string(n_newlines, '\n'));
  }

  const ParserOptions options_;
  const MakeReader make_reader_;
  const int32_t call_open_, call_close_, think_open_, think_close_;
  StreamDecoder decoder_;
  State state_ = State::content;
  bool drops_newlines_ = false;
  size_t held_newlines_ = 0;  // that a marker may follow
  std::unique_ptr<CallReader> reader_;
  std::vector<ChatDelta> deltas_;
};

}  // namespace

std::span<const std::string_view> qwen_markers() { return kMarkers; }

std::span<const std::string_view> qwen_other_markers() { return kOtherMarkers; }

std::unique_ptr<ChatParser> make_qwen3_parser(const Tokenizer& tokenizer, const ParserOptions& options) {
  return std::make_unique<QwenParser>(tokenizer, options, [](const ParserOptions&) -> std::unique_ptr<CallReader> {
    return std::make_unique<JsonCallReader>();
  });
}

std::unique_ptr<ChatParser> make_qwen35_parser(const Tokenizer& tokenizer, const ParserOptions& options) {
  return std::make_unique<QwenParser>(tokenizer, options, [](const ParserOptions& of) -> std::unique_ptr<CallReader> {
    return std::make_unique<FunctionCallReader>(of.tools);
  });
}

}  // namespace paro::text
