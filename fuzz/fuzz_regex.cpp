// A regular expression as a grammar of its own, and as the pattern of a schema.
#include <cstdint>
#include <string_view>

#include "text/grammar/grammar_builder.h"
#include "text/grammar/regex.h"
#include "walk_grammar.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  using namespace paro::text;
  const std::string_view text(reinterpret_cast<const char*>(input), size);
  for (const bool matches_part : {false, true}) {
    paro::allow(paro::ErrorKind::request, [&] {
      GrammarBuilder builder;
      const auto expression = read_regex(builder, text, {.matches_part = matches_part, .write_character = {}});
      bool has_ended = false;
      walk_grammar(builder.build(expression), text.substr(0, 8), has_ended);
    });
  }
  return 0;
}
