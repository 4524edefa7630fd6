// A JSON schema, compiled by either rule and walked: whatever ends must be JSON.
#include <boost/json/parse.hpp>
#include <cstdint>
#include <string_view>

#include "walk_grammar.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  using namespace paro::text;
  const std::string_view text(reinterpret_cast<const char*>(input), size);
  boost::json::parse_options limits;
  limits.max_depth = 64;
  boost::system::error_code failure;
  const boost::json::value schema = boost::json::parse(text, failure, {}, limits);
  if (failure) return 0;
  for (const bool is_strict : {true, false}) {
    paro::allow(paro::ErrorKind::request, [&] {
      JsonSchemaOptions options;
      options.strict = is_strict;
      options.open_objects = !is_strict;
      bool has_ended = false;
      const std::string document = walk_grammar(Grammar::from_json_schema(schema, options), text, has_ended);
      if (has_ended) boost::json::parse(document);
    });
  }
  return 0;
}
