// What the readers of calls need to know of the tools that a request offers: names, and what types arguments may have.
#pragma once

#include <boost/json/array.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace paro::text {

// Types of JSON, as a set of bits.
using JsonTypes = uint8_t;
inline constexpr JsonTypes kJsonString = 1, kJsonNumber = 2, kJsonBoolean = 4, kJsonNull = 8, kJsonArray = 16,
                           kJsonObject = 32, kAnyJson = 63;

// What `schema` allows, a part of the document `root`; any type where it does not tell.
JsonTypes json_types(const boost::json::value& schema, const boost::json::value& root);

class OfferedTools {
 public:
  // `tools` as requests have them: objects with function.name and perhaps function.parameters, a JSON Schema.
  explicit OfferedTools(const boost::json::array& tools);

  bool has(std::string_view function) const { return find(function) != nullptr; }

  // What the function's schema allows there; any type where it does not tell.
  JsonTypes types(std::string_view function, std::string_view parameter) const;

  int64_t memory_bytes() const;

 private:
  struct Parameter {
    std::string name;
    JsonTypes types;
  };
  struct Function {
    std::string name;
    std::vector<Parameter> parameters;
  };

  const Function* find(std::string_view name) const;

  std::vector<Function> functions_;
};

}  // namespace paro::text
