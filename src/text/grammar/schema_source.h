// A JSON schema's text: its parts by reference, and which keywords mean what.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace paro::text {

struct SchemaPart {
  const boost::json::value* schema;
  std::string pointer;  // "#/properties/name"
  bool operator==(const SchemaPart& other) const { return schema == other.schema; }

  // "json schema: #/properties/name/KEYWORD: PROBLEM"
  [[noreturn]] void fail(std::string_view keyword, std::string_view problem) const;

  SchemaPart at(std::string_view keyword) const;                         // a member
  SchemaPart at(std::string_view keyword, std::string_view name) const;  // a member of a member, which is an object
  SchemaPart at(std::string_view keyword, size_t index) const;           // an element of a member, which is an array
  const boost::json::value* find(std::string_view keyword) const;

  // nullptr where there is none; fails where it is of another type.
  const boost::json::object* find_object(std::string_view keyword) const;
  const boost::json::array* find_array(std::string_view keyword) const;
  const boost::json::string* find_string(std::string_view keyword) const;
  uint32_t count(std::string_view keyword, uint32_t otherwise) const;  // a whole number that is not negative
};

class SchemaSource {
 public:
  explicit SchemaSource(const boost::json::value& root) : root_(root) {}

  SchemaPart root() const { return {&root_, "#"}; }

  // What $ref of `part` refers to: #, #/pointer or #anchor.
  SchemaPart resolve(const SchemaPart& part, std::string_view reference);

 private:
  void find_anchors(const SchemaPart& part, int depth);

  const boost::json::value& root_;
  std::map<std::string, SchemaPart, std::less<>> anchors_;
  bool knows_anchors_ = false;
};

enum class KeywordKind {
  annotation,   // says nothing about which values are valid, or is not known
  supported,    //
  unsupported,  // constrains, and cannot be enforced
};
KeywordKind keyword_kind(std::string_view keyword);

}  // namespace paro::text
