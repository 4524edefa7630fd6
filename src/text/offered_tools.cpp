#include "text/offered_tools.h"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace paro::text {
namespace {

namespace json = boost::json;

constexpr int kMaxReferences = 16;  // of schemas that stand for others, one after the other

struct NamedType {
  std::string_view name;
  JsonTypes type;
};
constexpr std::array kTypeNames{NamedType{"string", kJsonString},  NamedType{"number", kJsonNumber},
                                NamedType{"integer", kJsonNumber}, NamedType{"boolean", kJsonBoolean},
                                NamedType{"null", kJsonNull},      NamedType{"array", kJsonArray},
                                NamedType{"object", kJsonObject}};

JsonTypes type_named(const json::value& name) {
  const json::string* text = name.if_string();
  if (text == nullptr) return kAnyJson;
  const auto found =
      std::find_if(kTypeNames.begin(), kTypeNames.end(), [&](const NamedType& t) { return t.name == *text; });
  return found == kTypeNames.end() ? kAnyJson : found->type;
}

JsonTypes type_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::string:
      return kJsonString;
    case json::kind::bool_:
      return kJsonBoolean;
    case json::kind::null:
      return kJsonNull;
    case json::kind::array:
      return kJsonArray;
    case json::kind::object:
      return kJsonObject;
    default:
      return kJsonNumber;
  }
}

template <typename TypesOf>
JsonTypes any_of(const json::value& list, TypesOf types_of) {
  const json::array* values = list.if_array();
  if (values == nullptr) return kAnyJson;
  JsonTypes types = 0;
  for (const json::value& value : *values) types |= types_of(value);
  return types;
}

// Each keyword narrows the set. References lead to other parts of `root`.
JsonTypes types_of(const json::value& schema, const json::value& root, int n_references) {
  const json::object* object = schema.if_object();
  if (object == nullptr || n_references > kMaxReferences) return kAnyJson;
  const auto of_part = [&](const json::value& part) { return types_of(part, root, n_references + 1); };
  JsonTypes types = kAnyJson;
  if (const json::value* type = object->if_contains("type"))
    types &= type->is_array() ? any_of(*type, type_named) : type_named(*type);
  if (const json::value* values = object->if_contains("enum")) types &= any_of(*values, type_of);
  if (const json::value* value = object->if_contains("const")) types &= type_of(*value);
  for (const std::string_view name : {"anyOf", "oneOf"})
    if (const json::value* parts = object->if_contains(name)) types &= any_of(*parts, of_part);
  if (const json::value* parts = object->if_contains("allOf"); parts && parts->is_array())
    for (const json::value& part : parts->get_array()) types &= of_part(part);
  if (const json::value* reference = object->if_contains("$ref");
      reference && reference->is_string() && reference->get_string().starts_with('#')) {
    boost::system::error_code failure;
    const json::value* target = root.find_pointer(reference->get_string().subview(1), failure);
    if (target != nullptr) types &= of_part(*target);
  }
  if (object->contains("nullable") && object->at("nullable") == true) types |= kJsonNull;
  return types;
}

const json::value* member(const json::value* value, std::string_view name) {
  const json::object* object = value ? value->if_object() : nullptr;
  return object ? object->if_contains(name) : nullptr;
}

}  // namespace

JsonTypes json_types(const json::value& schema, const json::value& root) {
  const JsonTypes types = types_of(schema, root, 0);
  return types == 0 ? kAnyJson : types;
}

OfferedTools::OfferedTools(const json::array& tools) {
  functions_.reserve(tools.size());
  for (const json::value& tool : tools) {
    const json::value* definition = member(&tool, "function");
    const json::value* name = member(definition, "name");
    if (name == nullptr || !name->is_string()) continue;
    Function& function = functions_.emplace_back();
    function.name = name->get_string();
    const json::value* schema = member(definition, "parameters");
    const json::value* properties = member(schema, "properties");
    if (properties == nullptr || !properties->is_object()) continue;
    function.parameters.reserve(properties->get_object().size());
    for (const auto& [key, property] : properties->get_object())
      function.parameters.push_back({std::string(key), json_types(property, *schema)});
  }
}

JsonTypes OfferedTools::types(std::string_view function, std::string_view parameter) const {
  const Function* found = find(function);
  if (found == nullptr) return kAnyJson;
  const auto& parameters = found->parameters;
  const auto at =
      std::find_if(parameters.begin(), parameters.end(), [&](const Parameter& p) { return p.name == parameter; });
  return at == parameters.end() ? kAnyJson : at->types;
}

int64_t OfferedTools::memory_bytes() const {
  size_t n_bytes = functions_.capacity() * sizeof(Function);
  for (const Function& function : functions_) {
    n_bytes += function.name.capacity() + function.parameters.capacity() * sizeof(Parameter);
    for (const Parameter& parameter : function.parameters) n_bytes += parameter.name.capacity();
  }
  return static_cast<int64_t>(n_bytes);
}

const OfferedTools::Function* OfferedTools::find(std::string_view name) const {
  const auto at = std::find_if(functions_.begin(), functions_.end(), [&](const Function& f) { return f.name == name; });
  return at == functions_.end() ? nullptr : &*at;
}

}  // namespace paro::text
