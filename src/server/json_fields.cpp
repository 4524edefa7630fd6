#include "server/json_fields.h"

#include <boost/json/parser.hpp>
#include <cmath>

#include "server/api_error.h"

namespace paro::server {
namespace {

namespace json = boost::json;
constexpr int kMaxDepth = 64;

}  // namespace

const json::value* JsonFields::find(std::string_view name) const {
  const json::value* value = object_.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<bool> JsonFields::boolean(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_bool()) throw invalid_field(path(name), "must be true or false");
  return value->get_bool();
}

std::optional<int64_t> JsonFields::integer(std::string_view name, int64_t least, int64_t most) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  boost::system::error_code failure;
  const int64_t number = value->is_number() ? value->to_number<int64_t>(failure) : 0;
  if (!value->is_number() || failure) throw invalid_field(path(name), "must be an integer");
  if (number < least || number > most)
    throw invalid_field(path(name), fmt::format("is {}, must be from {} to {}", number, least, most));
  return number;
}

std::optional<double> JsonFields::number(std::string_view name, double least, double most) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) throw invalid_field(path(name), "must be a number");
  const double number = value->to_number<double>();
  if (!(number >= least && number <= most))
    throw invalid_field(path(name), fmt::format("is {}, must be from {} to {}", number, least, most));
  return number;
}

std::optional<std::string> JsonFields::string(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) throw invalid_field(path(name), "must be a string");
  return std::string(value->get_string());
}

const json::array* JsonFields::array(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) throw invalid_field(path(name), "must be an array");
  return &value->get_array();
}

const json::object* JsonFields::object(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) throw invalid_field(path(name), "must be an object");
  return &value->get_object();
}

json::object parse_body(std::string_view text, const json::storage_ptr& memory) {
  json::parse_options limits;
  limits.max_depth = kMaxDepth;
  boost::system::error_code failure;
  json::parser parser(memory, limits);  // what is not yet in its place counts too
  parser.reset(memory);
  parser.write(text, failure);
  if (failure) {
    ApiError error(Error(ErrorKind::request, "request: the body is not valid JSON: {}", failure.message()));
    error.code = "invalid_json";
    throw error;
  }
  json::value body = parser.release();
  if (!body.is_object()) throw ApiError(Error(ErrorKind::request, "request: the body must be an object"));
  return std::move(body.get_object());
}

}  // namespace paro::server
