#include "text/llama3_format.h"

#include <array>
#include <utility>

#include "text/json_call.h"
#include "text/stream_decoder.h"

namespace paro::text {
namespace {

constexpr std::string_view kPythonTag = "<|python_tag|>";
constexpr std::array<std::string_view, 3> kMarkers{kPythonTag, "<|eom_id|>", "<|start_header_id|>"};
constexpr std::string_view kSpace = " \t\r\n", kBetweenCalls = " \t\r\n;,";

class Llama3Parser : public ChatParser {
 public:
  Llama3Parser(const Tokenizer& tokenizer, const ParserOptions& options)
      : options_(options),
        python_tag_(tokenizer.token_id(kPythonTag).value_or(-1)),
        decoder_(tokenizer, true),
        state_(options.reads_calls ? State::begins : State::content) {}

  std::vector<ChatDelta> push(int32_t id) override {
    deltas_.clear();
    if (id == python_tag_ && options_.reads_calls) {
      space_.clear();
      end_segment();
      state_ = State::call;
      reader_ = std::make_unique<JsonCallReader>();
    } else {
      take(decoder_.push(id));
    }
    return std::exchange(deltas_, {});
  }

  std::vector<ChatDelta> finish() override {
    deltas_.clear();
    end_segment();
    return std::exchange(deltas_, {});
  }

 private:
  enum class State { begins, content, call, after_call };

  void take(std::string_view text) {
    while (!text.empty()) {
      if (state_ == State::call) {
        text = reader_->push(text, deltas_);
        if (reader_->is_complete()) state_ = State::after_call;
      } else if (state_ == State::content) {
        emit(text);
        return;
      } else if (!decide(text)) {
        return;
      }
    }
  }

  // Whether a call or content begins in `text`, which then is what is left of it to read.
  bool decide(std::string_view& text) {
    const size_t begin = text.find_first_not_of(state_ == State::begins ? kSpace : kBetweenCalls);
    if (state_ == State::begins) space_ += text.substr(0, begin);
    if (begin == std::string_view::npos) return false;
    text.remove_prefix(begin);
    const bool may_be_call = text.front() == '{' && options_.tools != nullptr;
    state_ = may_be_call ? State::call : State::content;
    const std::string space = std::exchange(space_, {});
    if (may_be_call) {
      reader_ = std::make_unique<JsonCallReader>(options_.tools);
      reader_->push(space, deltas_);
    } else {
      emit(space);
    }
    return true;
  }

  void emit(std::string_view text) {
    if (!text.empty()) deltas_.push_back({ChatDelta::Kind::content, std::string(text)});
  }

  void end_segment() {
    take(decoder_.finish());
    if (state_ == State::call) reader_->finish(Ending::cut, deltas_);
    if (state_ == State::begins) emit(std::exchange(space_, {}));
    state_ = State::after_call;
  }

  const ParserOptions options_;
  const int32_t python_tag_;
  StreamDecoder decoder_;
  State state_;
  std::string space_;  // that an answer begins with, until it is known for content
  std::unique_ptr<JsonCallReader> reader_;
  std::vector<ChatDelta> deltas_;
};

}  // namespace

std::span<const std::string_view> llama3_markers() { return kMarkers; }

std::unique_ptr<ChatParser> make_llama3_parser(const Tokenizer& tokenizer, const ParserOptions& options) {
  return std::make_unique<Llama3Parser>(tokenizer, options);
}

}  // namespace paro::text
