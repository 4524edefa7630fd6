#include "text/chat_format.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "text/gemma4_format.h"
#include "text/stream_decoder.h"

namespace paro::text {
namespace {

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

// The table: one row for each format.
const std::array kFormats{
    ChatFormat{"gemma4", gemma4_markers(), true, make_gemma4_parser},
    ChatFormat{"plain", {}, false, [](const Tokenizer& tokenizer, bool) { return make_plain_parser(tokenizer); }},
};

}  // namespace

std::span<const ChatFormat> chat_formats() { return kFormats; }

const ChatFormat& chat_format_for(const Tokenizer& tokenizer) {
  const auto has = [&](std::string_view marker) { return tokenizer.token_id(marker).has_value(); };
  for (const ChatFormat& format : kFormats)
    if (std::all_of(format.markers.begin(), format.markers.end(), has)) return format;
  PARO_CHECK(false, "the last chat format asks for no marker");
  return kFormats.back();
}

std::unique_ptr<ChatParser> make_plain_parser(const Tokenizer& tokenizer) {
  return std::make_unique<PlainParser>(tokenizer);
}

}  // namespace paro::text
