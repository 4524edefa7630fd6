// Reads one request a line, {"schema": ..., "strict": bool, "open": bool, "texts": [...], "walks": n, "seed": n}, and
// answers {"matches": [bool, ...], "walks": [text, ...]}, or {"error": message} where the schema does not compile.
// Texts are read byte by byte; walks choose tokens at random among those allowed, of a vocabulary of bytes and of
// pieces that JSON is often cut into.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "text/grammar/grammar_matcher.h"

namespace {

using namespace paro::text;
namespace json = boost::json;

constexpr int kManySteps = 400;  // from which on a walk looks for its end

std::vector<std::string> pieces() {
  std::vector<std::string> out;
  for (int byte = 0; byte < 256; ++byte) out.push_back(std::string(1, char(byte)));
  for (const char* piece :
       {"{\"",    "\":", "\": ", "\": \"", "\":\"",    "\",",   "\", \"",  "\"}",  "\"},",        "\"]",  "}}",
        "]}",     ", ",  "[\"",  "[{\"",   "\": [",    "\": {", "\": {\"", "true", "false",       "null", "10",
        "2024",   "-1",  ".5",   "\\\"",   "\\n",      "\\u00", " a",      "the",  "abc",         "path", "name",
        "name\"", "é",   "漢字", "😀",      "\xF0\x9F", "--",    "01",      "12",   "@example.com"}) {
    out.push_back(piece);
  }
  out.push_back("");  // the stop token
  return out;
}

std::shared_ptr<const GrammarVocabulary> vocabulary(const std::vector<std::string>& words) {
  std::vector<GrammarVocabulary::Token> tokens;
  for (const std::string& word : words) tokens.push_back({word});
  return std::make_shared<const GrammarVocabulary>(tokens, std::vector<int32_t>{int32_t(words.size()) - 1});
}

bool matches(GrammarMatcher matcher, std::string_view text) {
  for (const char byte : text) {
    if (!matcher.can_accept(uint8_t(byte))) return false;
    matcher.accept(uint8_t(byte));
  }
  return matcher.can_end();
}

bool is_in_string(std::string_view json_text) {
  bool is_in = false;
  for (size_t i = 0; i < json_text.size(); ++i) {
    if (json_text[i] == '"') is_in = !is_in;
    if (json_text[i] == '\\' && is_in) ++i;
  }
  return is_in;
}

std::string walk(GrammarMatcher matcher, const std::vector<std::string>& words, std::mt19937& random) {
  std::string text;
  const size_t stop = words.size() - 1;
  for (int step = 0;; ++step) {
    const std::span<const uint32_t> mask = matcher.allowed();
    const auto is_allowed = [&](size_t id) { return (mask[id / 32] >> id % 32 & 1) != 0; };
    std::vector<size_t> allowed;
    for (size_t id = 0; id < words.size(); ++id) {
      if (is_allowed(id)) allowed.push_back(id);
    }
    size_t chosen = allowed[random() % allowed.size()];
    if (step > kManySteps) {
      // The last of these that is allowed closes what is open.
      std::vector<size_t> closing{',', 'a', '0', '"', ']', '}', stop};
      if (is_in_string(text)) closing = {'"'};
      for (const size_t id : closing) {
        if (is_allowed(id)) chosen = id;
      }
    }
    if (chosen == stop) return text;
    if (step > 100 * kManySteps) throw std::runtime_error("a walk finds no end: " + text);
    text += words[chosen];
    matcher.accept(int32_t(chosen));
  }
}

json::object answer(const json::object& request) {
  static const std::vector<std::string> words = pieces();
  static const std::shared_ptr<const GrammarVocabulary> tokens = vocabulary(words);
  const auto flag = [&](const char* name) { return request.contains(name) && request.at(name).as_bool(); };
  JsonSchemaOptions options;
  options.strict = flag("strict");
  options.open_objects = flag("open");
  std::unique_ptr<GrammarMatcher> start;
  try {
    const Grammar grammar = Grammar::from_json_schema(request.at("schema"), options);
    start = std::make_unique<GrammarMatcher>(std::make_shared<TokenAutomaton>(grammar, tokens));
  } catch (const paro::Error& error) {
    return {{"error", error.message()}};
  }
  json::array matched, walks;
  if (const json::value* const texts = request.if_contains("texts")) {
    for (const json::value& text : texts->as_array()) matched.push_back(matches(*start, text.as_string()));
  }
  if (const json::value* const n = request.if_contains("walks")) {
    std::mt19937 random(request.contains("seed") ? uint32_t(request.at("seed").as_int64()) : 0);
    for (int64_t i = 0; i < n->as_int64(); ++i) walks.push_back(json::string(walk(*start, words, random)));
  }
  return {{"matches", matched}, {"walks", walks}};
}

}  // namespace

int main() try {
  json::parse_options limits;
  limits.max_depth = 512;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << json::serialize(answer(json::parse(line, {}, limits).as_object())) << std::endl;
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "match_schema: %s\n", error.what());
  return 1;
}
