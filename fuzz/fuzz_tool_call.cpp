// A model's output through the Gemma 4 parser: each byte is a token, those from 0xF8 on are the markers. Every call
// must be valid JSON, text must neither be lost nor invented, and no marker may show unless in a malformed call.
#include <array>
#include <boost/json/parse.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "text/chat_format.h"
#include "text/gemma4_format.h"

namespace {

using namespace paro::text;
using Kind = ChatDelta::Kind;

constexpr std::array<std::string_view, 7> kMarkers{"<|channel>", "<channel|>",       "<|tool_call>",    "<tool_call|>",
                                                   "<|\\\"|>",   "<|tool_response>", "<tool_response|>"};
constexpr int kFirstMarker = 0xF8;

void require(bool condition) {
  if (!condition) std::abort();
}

// 128 letters of ASCII, 120 bytes of UTF-8 sequences, the markers.
const Tokenizer& tokenizer() {
  static const Tokenizer instance = [] {
    std::string vocab, added;
    for (int id = 0; id < kFirstMarker; ++id) {
      char name[8];
      std::snprintf(name, sizeof name, id < 0x80 ? "\\u%04X" : "<0x%02X>", static_cast<unsigned>(id));
      vocab += (id ? ",\"" : "\"") + std::string(name) + "\":" + std::to_string(id);
    }
    for (size_t i = 0; i < kMarkers.size(); ++i) {
      added += (i ? "," : "") + std::string("{\"id\":") + std::to_string(kFirstMarker + static_cast<int>(i)) +
               ",\"content\":\"" + std::string(kMarkers[i]) +
               "\",\"special\":false,\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false}";
    }
    return Tokenizer::from_json("{\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{" + vocab +
                                "},\"merges\":[]},\"added_tokens\":[" + added +
                                "],\"normalizer\":null,\"pre_tokenizer\":null,\"post_processor\":null,"
                                "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"ByteFallback\"},"
                                "{\"type\":\"Fuse\"}]}}");
  }();
  return instance;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(input), size);
  boost::json::parse_options limits;
  limits.max_depth = 64;
  if (const auto call = parse_gemma4_call(bytes); call && bytes.find('\xfe') == std::string_view::npos) {
    require(!call->name.empty());
    limits.allow_invalid_utf8 = true;
    require(boost::json::parse(call->arguments, {}, limits).is_object());
    limits.allow_invalid_utf8 = false;
  }

  const auto parser = make_gemma4_parser(tokenizer());
  std::string shown;
  bool in_call = false, has_call_marker = false;
  size_t n_letters = 0;
  const auto take = [&](const std::vector<ChatDelta>& deltas) {
    for (const ChatDelta& delta : deltas) {
      switch (delta.kind) {
        case Kind::content:
        case Kind::reasoning:
          require(!in_call && !delta.text.empty());
          shown += delta.text;
          break;
        case Kind::call_started:
          require(!in_call);
          in_call = true;
          break;
        case Kind::call_arguments:
          require(in_call);
          require(boost::json::parse(delta.text, {}, limits).is_object());
          break;
        case Kind::call_ended:
          in_call = !in_call;
          break;
      }
    }
  };
  for (const uint8_t id : std::basic_string_view<uint8_t>(input, size)) {
    has_call_marker |= id == kFirstMarker + 2;
    n_letters += id < 0x80;
    take(parser->push(id));
  }
  take(parser->finish());
  require(!in_call);
  require(shown.find(kGemma4Quote) == std::string::npos);
  if (!has_call_marker) {  // only a thought's header and its last newline may be missing
    size_t n_shown = 0, n_channels = 0;
    for (const char c : shown) n_shown += static_cast<unsigned char>(c) < 0x80;
    for (const char c : bytes) n_channels += static_cast<uint8_t>(c) == kFirstMarker;
    require(n_shown <= n_letters && n_shown + 9 * n_channels >= n_letters);
  }
  return 0;
}
