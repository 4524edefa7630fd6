#include "text/offered_tools.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace paro::text {
namespace {

JsonTypes types_of(std::string_view schema) {
  const std::string tools = R"([{"type":"function","function":{"name":"f","parameters":{"properties":{"p":)" +
                            std::string(schema) +
                            R"(},"$defs":{"Text":{"type":"string"},"Loop":{"$ref":"#/$defs/Loop"}}}}}])";
  return OfferedTools(boost::json::parse(tools).as_array()).types("f", "p");
}

TEST(OfferedTools, TellWhatTypesASchemaAllows) {
  EXPECT_EQ(types_of(R"({"type":"string"})"), kJsonString);
  EXPECT_EQ(types_of(R"({"type":["integer","null"]})"), kJsonNumber | kJsonNull);
  EXPECT_EQ(types_of(R"({"enum":["a","b"]})"), kJsonString);
  EXPECT_EQ(types_of(R"({"const":true})"), kJsonBoolean);
  EXPECT_EQ(types_of(R"({"anyOf":[{"type":"array"},{"type":"object"}]})"), kJsonArray | kJsonObject);
  EXPECT_EQ(types_of(R"({"allOf":[{"type":["string","null"]},{"type":"string"}]})"), kJsonString);
  EXPECT_EQ(types_of(R"({"type":"string","nullable":true})"), kJsonString | kJsonNull);
  EXPECT_EQ(types_of(R"({"$ref":"#/$defs/Text"})"), kJsonString);
}

TEST(OfferedTools, AllowAnyTypeWhereNothingIsTold) {
  for (const std::string_view schema :
       {"{}", "true", R"({"type":"strange"})", R"({"$ref":"#/$defs/None"})", R"({"$ref":"#/$defs/Loop"})",
        R"({"type":"string","const":1})", R"({"anyOf":7})"})
    EXPECT_EQ(types_of(schema), kAnyJson) << schema;
  const OfferedTools tools(boost::json::parse(R"([{"function":{"name":"f"}}])").as_array());
  EXPECT_EQ(tools.types("f", "p"), kAnyJson);
  EXPECT_EQ(tools.types("g", "p"), kAnyJson);
  EXPECT_TRUE(tools.has("f"));
  EXPECT_FALSE(tools.has("g"));
}

}  // namespace
}  // namespace paro::text
