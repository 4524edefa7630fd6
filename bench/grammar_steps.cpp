// What a step of constrained decoding costs: for grammars as answers have them, every token of a text is asked for and
// accepted, with the automaton new (first) and with its states known (again), and tokens are chosen at random.
//
// usage: grammar_steps TOKENIZER.json       prints a table, times in microseconds of one processor
#include <algorithm>
#include <boost/json/parse.hpp>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <time.h>

#include "text/grammar/grammar_builder.h"
#include "text/grammar/grammar_matcher.h"

namespace {

using namespace paro::text;
// Of this thread's time on a processor, so that other programs do not count.
double micros() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) * 1e6 + double(now.tv_nsec) / 1e3;
}

double micros_since(double begin) { return micros() - begin; }

struct Steps {
  std::vector<double> micros;

  double at(double share) {
    std::sort(micros.begin(), micros.end());
    return micros.empty() ? 0 : micros[std::min(micros.size() - 1, size_t(share * double(micros.size())))];
  }
};

struct Case {
  const char* name;
  Grammar (*make)();
  const char* text;
};

constexpr const char* kTool = R"({"type": "object", "properties": {
  "file_path": {"type": "string"}, "old_string": {"type": "string"}, "new_string": {"type": "string"},
  "replace_all": {"type": "boolean"}, "line": {"type": "integer", "minimum": 1, "maximum": 100000}},
  "required": ["file_path", "old_string", "new_string"], "additionalProperties": false})";

constexpr const char* kBounded = R"({"type": "object", "properties": {
  "title": {"type": "string", "minLength": 3, "maxLength": 60}, "body": {"type": "string", "maxLength": 4000},
  "when": {"type": "string", "format": "date-time"}, "slug": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
  "tags": {"type": "array", "items": {"enum": ["bug", "feature", "question", "documentation"]}, "maxItems": 4}},
  "required": ["title", "body", "when", "slug", "tags"], "additionalProperties": false})";

constexpr const char* kTree = R"({"$defs": {"node": {"type": "object", "properties": {"name": {"type": "string"},
  "size": {"type": "number", "minimum": 0}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
  "required": ["name", "children"], "additionalProperties": {"type": "string"}}}, "$ref": "#/$defs/node"})";

Grammar schema(const char* text) { return Grammar::from_json_schema(boost::json::parse(text)); }

const Case kCases[] = {
    {"tool call", [] { return schema(kTool); },
     R"({"file_path": "src/engine/batch_engine.cpp", "old_string": "  if (!stopped && constraint) {\n    constraint->accept(token.id);\n  }", "new_string": "  if (constraint != nullptr) constraint->accept(token.id); // \"always\" — naïve, 漢字 😀", "replace_all": false, "line": 337})"},
    {"bounded strings", [] { return schema(kBounded); },
     R"({"title": "The masks of long strings are slow", "body": "Every character that may still follow is counted, and so each position is a state of its own. This text is long enough to have a few dozen tokens, some of them \"quoted\", and it ends before its limit does.", "when": "2024-02-29T08:30:06Z", "slug": "masks-of-long-strings-4", "tags": ["bug", "documentation"]})"},
    {"recursive tree", [] { return schema(kTree); },
     R"({"name": "root", "size": 12.5, "children": [{"name": "src", "children": [{"name": "main.cpp", "size": 1204, "children": []}, {"name": "text", "children": [{"name": "grammar", "children": [], "owner": "nobody", "note": "deep"}]}]}]})"},
    {"any object", [] { return Grammar::json_object(); },
     R"({"a": [1, 2.5, {"b": null, "text": "some words, then more words"}], "done": true, "nested": {"x": {"y": {"z": ["deep", []]}}}})"},
    {"text with calls",
     [] {
       GrammarBuilder b;
       const auto arguments = b.json_schema(boost::json::parse(kTool));
       const auto call = b.sequence({b.text_until("<tool_call>"), b.literal("\n{\"name\": \"edit\", \"arguments\": "),
                                     arguments, b.literal("}\n</tool_call>")});
       return b.build(b.sequence({b.repeat(call, 0), b.text_without("<tool_call>")}));
     },
     "I will look at the file first, then < change > it.\n\n<tool_call>\n{\"name\": \"edit\", \"arguments\": "
     "{\"file_path\": "
     "\"a/b.txt\", \"old_string\": \"x\", \"new_string\": \"y\"}}\n</tool_call>\nDone: nothing else is left to do."},
    {"regex",
     [] { return Grammar::from_regex(R"((?:[A-Z][a-z]+(?: [A-Z][a-z]+){0,3}, )?[^,\n]{1,40}, \d{5}(?:-\d{4})?)"); },
     "Main Street, Some Town near the river, 12345-6789"},
};

void print(const char* name, const char* kind, Steps& steps) {
  std::printf("| %s | %s | %zu | %.1f | %.1f | %.1f |\n", name, kind, steps.micros.size(), steps.at(0.5),
              steps.at(0.99), steps.at(1));
}

void follow(const std::shared_ptr<TokenAutomaton>& automaton, const std::vector<int32_t>& ids, Steps& steps) {
  GrammarMatcher matcher(automaton);
  for (const int32_t id : ids) {
    const auto begin = micros();
    const std::span<const uint32_t> mask = matcher.allowed();
    const bool is_allowed = (mask[size_t(id) / 32] >> id % 32 & 1) != 0;
    if (!is_allowed) throw std::runtime_error("token " + std::to_string(id) + " of the text is not allowed");
    matcher.accept(id);
    steps.micros.push_back(micros_since(begin));
  }
  if (!matcher.can_end()) throw std::runtime_error("the text is not complete");
}

void wander(const std::shared_ptr<TokenAutomaton>& automaton, int n_steps, Steps& steps) {
  std::mt19937 random(7);
  GrammarMatcher matcher(automaton);
  for (int i = 0; i < n_steps; ++i) {
    const auto begin = micros();
    const std::span<const uint32_t> mask = matcher.allowed();
    steps.micros.push_back(micros_since(begin));
    // A token near a random id, and another start where the answer has ended.
    const auto n_ids = uint32_t(automaton->vocabulary().vocab_size());
    uint32_t id = uint32_t(random()) % n_ids;
    while ((mask[id / 32] >> id % 32 & 1) == 0) id = (id + 1) % n_ids;
    const auto accept_begin = micros();
    matcher.accept(int32_t(id));
    steps.micros.back() += micros_since(accept_begin);
    if (matcher.must_end()) matcher = GrammarMatcher(automaton);
  }
}

}  // namespace

int main(int n_arguments, char** arguments) try {
  if (n_arguments != 2) {
    std::fprintf(stderr, "usage: grammar_steps TOKENIZER.json\n");
    return 2;
  }
  std::ifstream file(arguments[1], std::ios::binary);
  if (!file) throw std::runtime_error(std::string("cannot open ") + arguments[1]);
  const std::string json((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const Tokenizer tokenizer = Tokenizer::from_json(json);
  const auto vocabulary_begin = micros();
  const std::vector<int32_t> stop_ids{1};
  const auto vocabulary = std::make_shared<const GrammarVocabulary>(
      GrammarVocabulary::from_tokenizer(tokenizer, stop_ids, tokenizer.vocab_size()));
  std::printf("vocabulary of %d tokens: %.0f ms, %.1f MiB\n\n", vocabulary->vocab_size(),
              micros_since(vocabulary_begin) / 1000, double(vocabulary->memory_bytes()) / (1 << 20));
  std::printf(
      "| grammar | steps | number | median µs | p99 µs | worst µs |\n| --- | --- | ---: | ---: | ---: | ---: |\n");
  for (const Case& test : kCases) {
    Steps compile, prepare, first, again, random;
    const auto begin = micros();
    const Grammar grammar = test.make();
    compile.micros.push_back(micros_since(begin));
    const auto automaton = std::make_shared<TokenAutomaton>(grammar, vocabulary);
    const auto prepare_begin = micros();
    automaton->prepare();
    prepare.micros.push_back(micros_since(prepare_begin));
    const std::vector<int32_t> ids = tokenizer.encode(test.text, false);
    follow(automaton, ids, first);
    for (int i = 0; i < 20; ++i) follow(automaton, ids, again);
    wander(automaton, 1000, random);
    print(test.name, "compile", compile);
    print(test.name, "prepare", prepare);
    print(test.name, "first", first);
    print(test.name, "again", again);
    print(test.name, "random", random);
    std::printf("| %s | | %.0f KiB held | | | |\n", test.name,
                double(automaton->network_bytes() + automaton->kept_bytes()) / 1024);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "grammar_steps: %s\n", error.what());
  return 1;
}
