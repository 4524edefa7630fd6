// A model's output through the parser of each notation, which the first byte chooses: each further byte is a token,
// those from 0xF8 on are the markers. Every call's arguments must be a JSON object, text must neither be lost nor
// invented, and no marker may show.
#include <array>
#include <boost/json/parse.hpp>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "require.h"
#include "text/chat_format.h"
#include "text/gemma4_call.h"
#include "text/gemma4_format.h"
#include "text/llama3_format.h"
#include "text/qwen_format.h"

namespace {

using namespace paro::text;
using paro::require;
using Kind = ChatDelta::Kind;

constexpr int kFirstMarker = 0xF8;

// 128 letters of ASCII, 120 bytes of UTF-8 sequences, the markers.
Tokenizer make_tokenizer(const std::vector<std::string_view>& markers) {
  std::string vocab, added;
  for (int id = 0; id < kFirstMarker; ++id) {
    char name[8];
    std::snprintf(name, sizeof name, id < 0x80 ? "\\u%04X" : "<0x%02X>", static_cast<unsigned>(id));
    vocab += (id ? ",\"" : "\"") + std::string(name) + "\":" + std::to_string(id);
  }
  for (size_t i = 0; i < markers.size(); ++i) {
    added += (i ? "," : "") + std::string("{\"id\":") + std::to_string(kFirstMarker + static_cast<int>(i)) +
             ",\"content\":\"" + std::string(markers[i]) +
             "\",\"special\":false,\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false}";
  }
  return Tokenizer::from_json("{\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{" + vocab +
                              "},\"merges\":[]},\"added_tokens\":[" + added +
                              "],\"normalizer\":null,\"pre_tokenizer\":null,\"post_processor\":null,"
                              "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"ByteFallback\"},"
                              "{\"type\":\"Fuse\"}]}}");
}

struct Notation {
  std::vector<std::string_view> markers;
  int call_marker;      // the text behind it may be dropped, as may what is around a call
  size_t most_dropped;  // letters that each marker takes with it; newlines apart
  bool drops_newlines;
  std::unique_ptr<ChatParser> (*make_parser)(const Tokenizer& tokenizer, const ParserOptions& options);
  Tokenizer tokenizer = make_tokenizer(markers);
};

const Notation& notation(uint8_t choice) {
  static const std::array<Notation, 4> all{
      Notation{{"<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|\\\"|>", "<|tool_response>",
                "<tool_response|>"},
               2,
               9,
               false,
               make_gemma4_parser},
      Notation{{"<think>", "</think>", "<tool_call>", "</tool_call>"}, 2, 0, true, make_qwen3_parser},
      Notation{{"<think>", "</think>", "<tool_call>", "</tool_call>"}, 2, 0, true, make_qwen35_parser},
      Notation{{"<|python_tag|>"}, 0, 0, false, make_llama3_parser}};
  return all[choice % all.size()];
}

size_t count_letters(std::string_view text, bool with_newlines) {
  size_t n = 0;
  for (const char c : text) n += static_cast<unsigned char>(c) < 0x80 && (with_newlines || c != '\n');
  return n;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  if (size == 0) return 0;
  static const auto tools =
      std::make_shared<const OfferedTools>(boost::json::parse(R"([{"function":{"name":"f","parameters":{"properties":{
        "a":{"type":"string"},"b":{"type":"number"},"c":{"type":["string","null"]},"d":{"type":"object"}}}}}])")
                                               .as_array());
  const Notation& of = notation(input[0]);
  ParserOptions options;
  options.in_thought = input[0] & 0x10;
  options.tools = input[0] & 0x20 ? nullptr : tools;
  const auto parser = of.make_parser(of.tokenizer, options);
  const std::basic_string_view<uint8_t> ids(input + 1, size - 1);

  std::string shown, arguments;
  bool in_call = false, has_call = false;
  size_t n_letters = 0, n_markers = 0;
  const auto take = [&](const std::vector<ChatDelta>& deltas) {
    for (const ChatDelta& delta : deltas) {
      switch (delta.kind) {
        case Kind::content:
        case Kind::reasoning:
          require(!in_call && !delta.text.empty());
          shown += delta.text;
          break;
        case Kind::call_started:
          require(!in_call && !delta.text.empty());
          in_call = has_call = true;
          arguments.clear();
          break;
        case Kind::call_arguments:
          require(in_call);
          arguments += delta.text;
          break;
        case Kind::call_ended: {
          require(in_call);
          in_call = false;
          boost::json::parse_options limits;
          limits.max_depth = 64;
          require(boost::json::parse(arguments, {}, limits).is_object());
          break;
        }
      }
    }
  };
  for (const uint8_t id : ids) {
    has_call |= id == kFirstMarker + of.call_marker;
    n_markers += id >= kFirstMarker;
    n_letters += id < 0x80 && (id != '\n' || !of.drops_newlines);
    take(parser->push(id));
  }
  take(parser->finish());
  require(!in_call);
  require(shown.find(kGemma4Quote) == std::string::npos);
  if (!has_call) {
    const size_t n_shown = count_letters(shown, !of.drops_newlines);
    require(n_shown <= n_letters && n_shown + of.most_dropped * (n_markers + options.in_thought) >= n_letters);
  }
  return 0;
}
