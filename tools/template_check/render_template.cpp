// Renders templates for check.py: each line of stdin is {"source", "context", "now"?}, each line of stdout {"text"} or
// {"error", "kind"}.
#include <boost/json.hpp>
#include <cstdio>
#include <iostream>
#include <string>

#include "base/error.h"
#include "text/chat_template.h"

namespace json = boost::json;

static json::object answer(const json::object& request) {
  try {
    paro::text::RenderOptions options;
    if (const json::value* now = request.if_contains("now")) options.now = std::time_t(now->to_number<int64_t>());
    const auto chat_template = paro::text::ChatTemplate::parse(std::string_view(request.at("source").as_string()));
    return {{"text", chat_template.render(request.at("context").as_object(), options)}};
  } catch (const paro::Error& error) {
    return {{"error", error.message()}, {"kind", std::string(paro::to_string(error.kind()))}};
  }
}

int main() {
  json::parse_options options;
  options.max_depth = 400;
  for (std::string line; std::getline(std::cin, line);) {
    std::puts(json::serialize(answer(json::parse(line, {}, options).as_object())).c_str());
  }
  return 0;
}
