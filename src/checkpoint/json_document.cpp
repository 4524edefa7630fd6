#include "checkpoint/json_document.h"

#include <algorithm>
#include <boost/json/parser.hpp>

namespace paro {
namespace {

constexpr size_t kMaxDepth = 64;

}  // namespace

boost::json::value parse_json(std::string_view text, ErrorKind kind, std::string_view where) {
  boost::json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::json::parser parser({}, options);
  boost::json::error_code error;
  const size_t n_parsed = parser.write(text.data(), text.size(), error);
  if (error) {
    const auto line =
        1 + std::count(text.begin(), text.begin() + std::ptrdiff_t(std::min(n_parsed, text.size())), '\n');
    throw Error(kind, "{} is not valid JSON: {} on line {}", where, error.message(), line);
  }
  return parser.release();
}

std::string_view kind_name(const boost::json::value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return "null";
    case boost::json::kind::bool_:
      return "a boolean";
    case boost::json::kind::int64:
    case boost::json::kind::uint64:
      return "an integer";
    case boost::json::kind::double_:
      return "a number with a fraction or exponent";
    case boost::json::kind::string:
      return "a string";
    case boost::json::kind::array:
      return "a list";
    case boost::json::kind::object:
      return "an object";
  }
  return "unknown";
}

}  // namespace paro
