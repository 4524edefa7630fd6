// A grammar in GBNF, compiled and walked: no input may crash, hang or take memory without measure.
#include <cstdint>
#include <string_view>

#include "walk_grammar.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  using namespace paro::text;
  const std::string_view text(reinterpret_cast<const char*>(input), size);
  paro::allow(paro::ErrorKind::request, [&] {
    bool has_ended = false;
    walk_grammar(Grammar::from_gbnf(text), text.substr(0, 12), has_ended);
  });
  return 0;
}
