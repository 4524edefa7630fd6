#include "text/grammar/schema_source.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

namespace paro::text {
namespace {

constexpr int kMaxDepth = 256;

std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

// A pointer's segment in a URI fragment: %XX, then ~1 and ~0.
std::string unescaped(std::string_view segment) {
  std::string bytes;
  for (size_t i = 0; i < segment.size(); ++i) {
    uint8_t byte = 0;
    const char* const end = segment.data() + std::min(i + 3, segment.size());
    if (segment[i] == '%' && i + 2 < segment.size() &&
        std::from_chars(segment.data() + i + 1, end, byte, 16).ptr == end) {
      bytes += char(byte);
      i += 2;
    } else {
      bytes += segment[i];
    }
  }
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const bool is_escape = bytes[i] == '~' && i + 1 < bytes.size() && (bytes[i + 1] == '0' || bytes[i + 1] == '1');
    out += !is_escape ? bytes[i] : bytes[++i] == '0' ? '~' : '/';
  }
  return out;
}

}  // namespace

void SchemaPart::fail(std::string_view keyword, std::string_view problem) const {
  throw Error(ErrorKind::request, "json schema: {}{}{}: {}", pointer, keyword.empty() ? "" : "/", keyword, problem);
}

const boost::json::value* SchemaPart::find(std::string_view keyword) const {
  return schema->is_object() ? schema->get_object().if_contains(keyword) : nullptr;
}

SchemaPart SchemaPart::at(std::string_view keyword) const { return {find(keyword), pointer + "/" + escaped(keyword)}; }

SchemaPart SchemaPart::at(std::string_view keyword, std::string_view name) const { return at(keyword).at(name); }

SchemaPart SchemaPart::at(std::string_view keyword, size_t index) const {
  const SchemaPart list = at(keyword);
  return {&list.schema->get_array()[index], fmt::format("{}/{}", list.pointer, index)};
}

const boost::json::object* SchemaPart::find_object(std::string_view keyword) const {
  const boost::json::value* const found = find(keyword);
  if (found && !found->is_object()) fail(keyword, "expected an object");
  return found ? &found->get_object() : nullptr;
}

const boost::json::array* SchemaPart::find_array(std::string_view keyword) const {
  const boost::json::value* const found = find(keyword);
  if (found && !found->is_array()) fail(keyword, "expected an array");
  return found ? &found->get_array() : nullptr;
}

const boost::json::string* SchemaPart::find_string(std::string_view keyword) const {
  const boost::json::value* const found = find(keyword);
  if (found && !found->is_string()) fail(keyword, "expected a string");
  return found ? &found->get_string() : nullptr;
}

uint32_t SchemaPart::count(std::string_view keyword, uint32_t otherwise) const {
  constexpr uint32_t kMaxCount = 1'000'000'000;
  const boost::json::value* const found = find(keyword);
  if (!found) return otherwise;
  double value = -1;
  if (found->is_number()) value = found->to_number<double>();
  if (value < 0 || value != std::floor(value)) fail(keyword, "expected a whole number that is not negative");
  return uint32_t(std::min<double>(value, kMaxCount));
}

SchemaPart SchemaSource::resolve(const SchemaPart& part, std::string_view reference) {
  if (!reference.starts_with('#')) {
    part.fail("$ref",
              fmt::format("'{}' refers to another document; references within this one start with #", reference));
  }
  std::string_view rest = reference.substr(1);
  SchemaPart found = root();
  if (!rest.empty() && rest[0] != '/') {
    if (!knows_anchors_) find_anchors(root(), 0);
    knows_anchors_ = true;
    const auto anchor = anchors_.find(rest);
    if (anchor == anchors_.end()) part.fail("$ref", fmt::format("'{}' is nowhere defined", reference));
    return anchor->second;
  }
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string segment = unescaped(rest.substr(0, rest.find('/')));
    rest.remove_prefix(std::min(rest.find('/'), rest.size()));
    const boost::json::value* next = nullptr;
    if (found.schema->is_object()) {
      next = found.schema->get_object().if_contains(segment);
    } else if (found.schema->is_array()) {
      size_t index = 0;
      const char* const end = segment.data() + segment.size();
      const auto parsed = std::from_chars(segment.data(), end, index);
      const auto& items = found.schema->get_array();
      if (parsed.ec == std::errc() && parsed.ptr == end && index < items.size()) next = &items[index];
    }
    if (!next) part.fail("$ref", fmt::format("'{}' is nowhere defined", reference));
    found = {next, found.pointer + "/" + escaped(segment)};
  }
  return found;
}

void SchemaSource::find_anchors(const SchemaPart& part, int depth) {
  if (depth > kMaxDepth) part.fail("", fmt::format("nested more than {} deep", kMaxDepth));
  if (part.schema->is_object()) {
    const boost::json::value* const anchor = part.find("$anchor");
    if (anchor && anchor->is_string()) anchors_.emplace(std::string(anchor->get_string()), part);
    for (const auto& member : part.schema->get_object()) {
      if (member.key() != "enum" && member.key() != "const") find_anchors(part.at(member.key()), depth + 1);
    }
  } else if (part.schema->is_array()) {
    for (size_t i = 0; i < part.schema->get_array().size(); ++i) {
      find_anchors({&part.schema->get_array()[i], fmt::format("{}/{}", part.pointer, i)}, depth + 1);
    }
  }
}

KeywordKind keyword_kind(std::string_view keyword) {
  constexpr std::string_view kSupported[] = {"$ref",
                                             "additionalItems",
                                             "additionalProperties",
                                             "allOf",
                                             "anyOf",
                                             "const",
                                             "enum",
                                             "exclusiveMaximum",
                                             "exclusiveMinimum",
                                             "format",
                                             "items",
                                             "maxItems",
                                             "maxLength",
                                             "maxProperties",
                                             "maximum",
                                             "minItems",
                                             "minLength",
                                             "minProperties",
                                             "minimum",
                                             "multipleOf",
                                             "oneOf",
                                             "pattern",
                                             "prefixItems",
                                             "patternProperties",
                                             "properties",
                                             "propertyNames",
                                             "required",
                                             "type",
                                             "unevaluatedItems",
                                             "unevaluatedProperties"};
  constexpr std::string_view kUnsupported[] = {
      "$dynamicRef", "$recursiveRef", "contains", "dependencies", "dependentRequired", "dependentSchemas", "else",
      "if",          "not",           "then",     "uniqueItems"};
  if (std::ranges::find(kSupported, keyword) != std::end(kSupported)) return KeywordKind::supported;
  if (std::ranges::find(kUnsupported, keyword) != std::end(kUnsupported)) return KeywordKind::unsupported;
  return KeywordKind::annotation;
}

}  // namespace paro::text
