// Typed reading of a request's members. One that is absent or null has no value; one of a wrong type or out of range is
// a 400 that names it.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace paro::server {

class JsonFields {
 public:
  // `path` stands before the names in messages: "messages[2]." Both must outlive this.
  explicit JsonFields(const boost::json::object& object, std::string path = {})
      : object_(object), path_(std::move(path)) {}

  const boost::json::value* find(std::string_view name) const;  // nullptr: absent or null
  std::string path(std::string_view name) const { return path_ + std::string(name); }

  std::optional<bool> boolean(std::string_view name) const;
  std::optional<int64_t> integer(std::string_view name, int64_t least, int64_t most) const;
  std::optional<double> number(std::string_view name, double least, double most) const;
  std::optional<std::string> string(std::string_view name) const;
  const boost::json::array* array(std::string_view name) const;
  const boost::json::object* object(std::string_view name) const;

 private:
  const boost::json::object& object_;
  std::string path_;
};

// The body of a request: a JSON object of limited depth, made of `memory`. Throws ApiError 400.
boost::json::object parse_body(std::string_view text, const boost::json::storage_ptr& memory = {});

}  // namespace paro::server
