#include <boost/json/parse.hpp>

#include "grammar_fixture.h"
#include "text/grammar/grammar_builder.h"

namespace paro::text {
namespace {

Language language(std::string_view schema, JsonSchemaOptions options = {}) {
  return Language(Grammar::from_json_schema(boost::json::parse(schema), options));
}

std::string error_of(std::string_view schema, JsonSchemaOptions options = {}) {
  return request_error([&] { Grammar::from_json_schema(boost::json::parse(schema), options); });
}

void expect(const Language& language, std::initializer_list<std::string_view> good,
            std::initializer_list<std::string_view> bad) {
  for (const std::string_view text : good) EXPECT_TRUE(language.matches(text)) << text;
  for (const std::string_view text : bad) EXPECT_FALSE(language.matches(text)) << text;
}

TEST(JsonSchema, WritesPropertiesInOrderAndLeavesOutOptionalOnes) {
  const Language l = language(R"({"type": "object", "required": ["b"],
      "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}, "c": {"type": "null"}}})");
  expect(l, {R"({"b":true})", R"({"a": 1, "b": false})", R"({"a":1,"b":true,"c":null})", R"({"b": true, "c": null})"},
         {"{}", R"({"a": 1})", R"({"b": true, "a": 1})", R"({"b": true,})", R"({,"b": true})", R"({"b": true, "d": 1})",
          R"({"b": true} )", R"( {"b": true})", R"({"b":  true})", R"({"b" :true})"});
}

TEST(JsonSchema, HoldsStringsToJson) {
  const Language l = language(R"({"type": "string"})");
  expect(l, {R"("")", R"("a\n\"\\\/\u00e9")", R"("\ud83d\ude00")", "\"é漢😀\""},
         {"\"\n\"", R"("\x")", R"("\ud83d")", R"("\ude00")", R"("\ud83d\u0041")", "\"\xC3\"", "\"\xED\xA0\x80\"", "\"",
          "'a'"});
}

TEST(JsonSchema, CountsCharactersHoweverTheyAreWritten) {
  expect(language(R"({"type": "string", "minLength": 2, "maxLength": 3})"),
         {R"("ab")", R"("漢字あ")", R"("\n\u00e9\"")", R"("😀\ud83d\ude00")"}, {R"("a")", R"("abcd")", R"("\n")"});
  const Language l = language(R"({"type": "string", "minLength": 300, "maxLength": 2000})");
  const auto text = [](size_t n) { return "\"" + std::string(n, 'x') + "\""; };
  EXPECT_FALSE(l.matches(text(299)));
  EXPECT_TRUE(l.matches(text(300)));
  EXPECT_TRUE(l.matches(text(2000)));
  EXPECT_FALSE(l.matches(text(2001)));
}

TEST(JsonSchema, FindsPatternsInStrings) {
  expect(language(R"({"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$"})"), {R"("a-bc")"},
         {R"("a-")", R"("A")", R"("")"});
  expect(language(R"({"type": "string", "pattern": "b\"\\\\?"})"), {R"("ab\"c")", R"("b\"\\")"}, {R"("b")"});
  expect(language(R"({"type": "string", "pattern": "^[a-c]+$", "minLength": 2, "maxLength": 3})"),
         {R"("ab")", R"("ccc")"}, {R"("a")", R"("abca")", R"("xy")"});
  expect(language(R"({"allOf": [{"type": "string", "pattern": "a"}, {"pattern": "b"}]})"), {R"("b\na")", R"("xabx")"},
         {R"("aa")", R"("b")"});
}

TEST(JsonSchema, KnowsFormats) {
  const auto format = [](std::string_view name) {
    return language(fmt::format(R"({{"type": "string", "format": "{}"}})", name));
  };
  expect(format("date"), {R"("2024-02-29")", R"("2000-02-29")", R"("1999-12-31")"},
         {R"("2023-02-29")", R"("1900-02-29")", R"("2024-04-31")", R"("2024-13-01")", R"("24-01-01")"});
  expect(format("time"), {R"("23:59:59Z")", R"("08:30:06.283185+05:30")"},
         {R"("24:00:00Z")", R"("23:59:60Z")", R"("08:30:06")"});
  expect(format("date-time"), {R"("2024-02-29T08:30:06Z")"}, {R"("2024-02-29 08:30:06Z")"});
  expect(format("duration"), {R"("P4DT12H30M5S")", R"("PT36H")", R"("P1Y")", R"("P2W")"},
         {R"("P")", R"("PT")", R"("P1D2H")"});
  expect(format("uuid"), {R"("2EB8AA08-aa98-11EA-B4Aa-73B441D16380")"}, {R"("2eb8aa08-aa98-11ea-b4aa73b441d16380")"});
  expect(format("ipv4"), {R"("192.168.0.255")"}, {R"("192.168.0.256")", R"("1.2.3")", R"("01.2.3.4")"});
  expect(format("ipv6"), {R"("::1")", R"("::")", R"("1:2:3:4:5:6:7:8")", R"("12::42:1.2.3.4")", R"("a:b::c")"},
         {R"("1:2:3:4:5:6:7")", R"("1::2::3")", R"("::1:")", R"("12345::")", R"("1:2:3:4:5:6:7:8:9")"});
  expect(format("email"), {R"("joe.bloggs+x@example.com")"}, {R"("2962")", R"(".a@b.c")", R"("a@-b.c")"});
  expect(format("hostname"), {R"("www.example-1.com")"}, {R"("-a.com")", R"("a_b")"});
  expect(format("uri"), {R"("https://example.com/a?b=c#d")"}, {R"("//example.com")", R"("http://a b")"});
  EXPECT_EQ(error_of(R"({"properties": {"a": {"type": "string", "format": "iri"}}})"),
            "json schema: #/properties/a/format: 'iri' is not supported");
}

TEST(JsonSchema, HoldsIntegersToTheirRangeExactly) {
  for (const auto& [low, high] : {std::pair{0, 0}, {1, 9}, {7, 123}, {-5, 17}, {-120, -13}, {99, 101}, {-1, 0}}) {
    const Language l = language(fmt::format(R"({{"type": "integer", "minimum": {}, "maximum": {}}})", low, high));
    const Language inner =
        language(fmt::format(R"({{"type": "integer", "exclusiveMinimum": {}, "maximum": {}}})", low, high + 1));
    for (int i = -1300; i <= 1300; ++i) {
      ASSERT_EQ(l.matches(std::to_string(i)), low <= i && i <= high) << i << " in " << low << " " << high;
      ASSERT_EQ(inner.matches(std::to_string(i)), low < i && i <= high + 1) << i << " in " << low << " " << high;
    }
  }
  expect(language(R"({"type": "integer", "minimum": 8})"), {"8", "9", "10", "123456789"},
         {"7", "-8", "08", "8.0", "1e2"});
  expect(language(R"({"type": "integer", "maximum": -3})"), {"-3", "-30"}, {"-2", "0", "3"});
  expect(language(R"({"type": "integer", "multipleOf": 7})"), {"0", "7", "-14", "70", "999999994"},
         {"1", "-8", "07", "-0", "7000000000"});
  EXPECT_FALSE(language(R"({"type": "integer"})").matches(std::string(21, '1')));
}

TEST(JsonSchema, HoldsNumbersToTheirRangeExactly) {
  struct Range {
    double low, high;
  };
  for (const Range range : {Range{0, 1}, {-1.5, 2.25}, {0.05, 0.1}, {9.99, 100.01}, {-20, -0.5}}) {
    const Language closed =
        language(fmt::format(R"({{"type": "number", "minimum": {}, "maximum": {}}})", range.low, range.high));
    const Language open = language(
        fmt::format(R"({{"type": "number", "exclusiveMinimum": {}, "exclusiveMaximum": {}}})", range.low, range.high));
    for (int i = -25000; i <= 110000; i += 10) {
      const double value = i / 1000.0;
      const std::string text = fmt::format("{}", value), padded = fmt::format("{:.4f}", value);
      const bool is_in = range.low <= value && value <= range.high, is_inside = range.low < value && value < range.high;
      ASSERT_EQ(closed.matches(text), is_in) << text << " in " << range.low << " " << range.high;
      ASSERT_EQ(open.matches(text), is_inside) << text << " in " << range.low << " " << range.high;
      if (i != 0) {
        ASSERT_EQ(closed.matches(padded), is_in) << padded;
        ASSERT_EQ(open.matches(padded), is_inside) << padded;
      }
    }
  }
  expect(language(R"({"type": "number"})"), {"0", "-0.5", "1e10", "1.5E-3", "12"},
         {".5", "1.", "01", "+1", "1e", "NaN"});
  expect(language(R"({"type": "number", "multipleOf": 0.01})"), {"1.25", "3", "0.1"}, {"1.255"});
}

TEST(JsonSchema, TakesTypesTogether) {
  expect(language(R"({"type": ["integer", "null"], "minimum": 0})"), {"3", "null"}, {"-3", "\"3\"", "1.5"});
  expect(language(R"({"minLength": 2})"), {"\"ab\"", "1", "[]", "{\"a\": [null]}", "true"}, {"\"a\""});
  expect(language("true"), {"{\"a\": [1, {\"b\": \"c\"}]}"}, {"{a: 1}"});
  EXPECT_EQ(error_of("false"), "grammar: no finite text matches it; give every rule a way to end");
}

TEST(JsonSchema, WritesEnumAndConstAsTheyAre) {
  expect(language(R"({"enum": ["a", 1, null, {"b": [1, 2.5]}, "\"q\""]})"),
         {"\"a\"", "1", "null", R"({"b": [1, 2.5]})", R"({"b":[1,2.5]})", R"("\"q\"")"}, {"\"b\"", "2", "{}"});
  expect(language(R"({"const": "x", "type": "string"})"), {"\"x\""}, {"\"y\""});
  expect(language(R"({"enum": ["a", "abc", 1, 5], "type": ["string", "integer"], "minLength": 2, "maximum": 3})"),
         {"\"abc\"", "1"}, {"\"a\"", "5"});
}

TEST(JsonSchema, HoldsArraysToTheirElementsAndCounts) {
  expect(language(R"({"type": "array", "items": {"type": "integer"}})"), {"[]", "[1]", "[1, 2,3]"},
         {"[1,]", "[a]", "[\"1\"]"});
  expect(language(R"({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3})"),
         {"[true, true]", "[true,true,false]"}, {"[]", "[true]", "[true,true,true,true]"});
  expect(
      language(
          R"({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": false, "minItems": 1})"),
      {"[1]", "[1, \"a\"]"}, {"[]", "[\"a\"]", "[1, \"a\", 2]"});
  expect(language(R"({"type": "array", "items": [{"type": "integer"}], "additionalItems": {"type": "null"}})"),
         {"[]", "[1]", "[1, null, null]"}, {"[null]", "[1, 1]"});
  expect(language(R"({"type": "array", "minItems": 200, "maxItems": 400, "items": {"const": 1}})"), {}, {"[1]"});
}

TEST(JsonSchema, LetsFurtherPropertiesHaveOtherNames) {
  const Language l = language(
      R"({"type": "object", "properties": {"ab": {"type": "integer"}}, "additionalProperties": {"type": "boolean"}})");
  expect(l, {"{}", R"({"ab": 1})", R"({"ab": 1, "abc": true, "": false})", R"({"a": true})", R"({"é\n": true})"},
         {R"({"ab": true})", R"({"ab": 1, "ab": true})", R"({"a": 1})", R"({"a\u0062": true})"});
  JsonSchemaOptions open;
  open.open_objects = true;
  constexpr std::string_view kSilent = R"({"type": "object", "properties": {"a": {"type": "integer"}}})";
  EXPECT_FALSE(language(kSilent).matches(R"({"b": 1})"));
  EXPECT_TRUE(language(kSilent, open).matches(R"({"b": 1})"));
  EXPECT_TRUE(language(R"({"type": "object"})").matches(R"({"b": {"c": []}})"));
}

TEST(JsonSchema, TellsNamesApartByPatterns) {
  const Language l = language(R"({"type": "object", "properties": {"x-id": {"maximum": 9}},
      "patternProperties": {"^x-": {"type": "integer"}, "y$": {"minimum": 5}}, "additionalProperties": false})");
  expect(l, {R"({"x-id": 3})", R"({"x-a": 100, "y": 6})", R"({"x-y": 5})", R"({"y": "text"})"},
         {R"({"x-id": 10})", R"({"x-y": 4})", R"({"z": 1})", R"({"x-a": "b"})"});
  expect(language(R"({"type": "object", "propertyNames": {"pattern": "^[a-z]+$", "maxLength": 3},
      "additionalProperties": {"type": "integer"}})"),
         {R"({"abc": 1, "z": 2})", "{}"}, {R"({"abcd": 1})", R"({"A": 1})"});
}

TEST(JsonSchema, CountsProperties) {
  const Language l = language(R"({"type": "object", "minProperties": 2, "maxProperties": 3, "required": ["b"],
      "properties": {"a": {}, "b": {}}, "additionalProperties": {"type": "null"}})");
  expect(l, {R"({"a": 1, "b": 2})", R"({"b": 2, "c": null})", R"({"a": 1, "b": 2, "c": null})"},
         {R"({"b": 2})", R"({"a": 1, "b": 2, "c": null, "d": null})", R"({"a": 1, "c": null})"});
}

TEST(JsonSchema, BringsSchemasThatHoldAtOnceTogether) {
  expect(language(R"({"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
      {"properties": {"a": {"minimum": 3}, "b": {"type": "string"}}}]})"),
         {R"({"a": 3, "b": "x"})"}, {R"({"a": 2})", "{}"});
  expect(language(R"({"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"],
      "anyOf": [{"properties": {"kind": {"const": "dog"}, "bark": {"type": "boolean"}}, "required": ["bark"]},
                {"properties": {"kind": {"const": "cat"}}}]})"),
         {R"({"kind": "dog", "bark": true})", R"({"kind": "cat"})"}, {R"({"kind": "dog"})", R"({"kind": "fish"})"});
  expect(language(R"({"oneOf": [{"type": "integer"}, {"type": "string", "maxLength": 1}]})"), {"1", "\"a\""},
         {"\"ab\"", "null"});
}

TEST(JsonSchema, FollowsReferences) {
  const Language tree = language(R"({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object",
      "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
      "required": ["value"], "additionalProperties": false}}})");
  expect(tree, {R"({"value": 1})", R"({"value": 1, "children": [{"value": 2, "children": []}, {"value": 3}]})"},
         {R"({"value": 1, "children": [{}]})"});
  expect(language(R"({"type": "array", "items": {"$ref": "#"}})"), {"[]", "[[], [[]]]"}, {"[1]"});
  expect(
      language(
          R"({"items": {"$ref": "#here"}, "type": "array", "$defs": {"a~b/c%": {"$anchor": "here", "type": "null"}}})"),
      {"[null]"}, {"[1]"});
  expect(language(R"({"$ref": "#/$defs/a~0b~1c%25", "$defs": {"a~b/c%": {"type": "null"}}})"), {"null"}, {"1"});
  expect(language(R"({"$ref": "#/$defs/a", "maximum": 3, "$defs": {"a": {"type": "integer"}}})"), {"3"}, {"4", "\"\""});
  EXPECT_EQ(error_of(R"({"$ref": "#/$defs/none"})"), "json schema: #/$ref: '#/$defs/none' is nowhere defined");
  EXPECT_NE(error_of(R"({"$ref": "http://example.com/x"})").find("refers to another document"), std::string::npos);
  EXPECT_EQ(
      error_of(
          R"({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}}})"),
      "grammar: no finite text matches it; give every rule a way to end");
  // A reference that leads back to itself says nothing.
  expect(language(R"({"allOf": [{"$ref": "#"}], "type": "null"})"), {"null"}, {"1"});
}

TEST(JsonSchema, NamesThePlaceAndTheKeyword) {
  EXPECT_EQ(error_of(R"({"type": "object", "properties": {"a/b": {"not": {"type": "string"}}}})"),
            "json schema: #/properties/a~1b/not: this keyword is not supported");
  EXPECT_EQ(error_of(R"({"if": {}})"), "json schema: #/if: this keyword is not supported");
  EXPECT_EQ(error_of(R"({"type": "array", "uniqueItems": true})"),
            "json schema: #/uniqueItems: this keyword is not supported");
  EXPECT_EQ(
      error_of(R"({"type": "strin"})"),
      "json schema: #/type: \"strin\" is no type; expected null, boolean, integer, number, string, array or object");
  EXPECT_EQ(error_of(R"x({"type": "string", "pattern": "(?=a)"})x"),
            "json schema: #/pattern: regular expression: character 1: look-ahead and look-behind are not supported");
  EXPECT_EQ(error_of(R"({"items": {"minLength": -1}})"),
            "json schema: #/items/minLength: expected a whole number that is not negative");
  EXPECT_EQ(error_of(R"({"anyOf": [{"type": "null"}, 3]})"),
            "json schema: #/anyOf/1: expected a schema: an object, true or false");
  JsonSchemaOptions lenient;
  lenient.strict = false;
  EXPECT_TRUE(language(R"({"type": "array", "uniqueItems": true, "items": {"not": {}, "type": "null"}})", lenient)
                  .matches("[null]"));
}

TEST(JsonSchema, KnowsWhatIsUnevaluatedInTheOutermostSchemaAlone) {
  expect(language(R"({"allOf": [{"properties": {"a": {"type": "null"}}}], "unevaluatedProperties": false})"),
         {R"({"a":null})"}, {R"({"a":null,"b":null})"});
  for (
      const char* schema :
      {R"({"allOf": [{"unevaluatedProperties": false}, {"properties": {"a": true}}]})",
       R"({"properties": {"a": {"unevaluatedItems": false}}, "allOf": [{"properties": {"a": {"prefixItems": [true]}}}]})",
       R"({"properties": {"a": {"prefixItems": [true]}}, "allOf": [{"properties": {"a": {"unevaluatedItems": false}}}]})"}) {
    EXPECT_NE(error_of(schema).find("supported in the outermost schema"), std::string::npos) << schema;
  }
}

TEST(JsonSchema, RefusesWhatWouldGrowWithoutMeasure) {
  std::string nested = R"({"type": "null"})";
  for (int i = 0; i < 200; ++i) nested = R"({"items": )" + nested + "}";
  boost::json::parse_options deep;
  deep.max_depth = 1000;
  const boost::json::value schema = boost::json::parse(nested, {}, deep);
  EXPECT_NE(request_error([&] { Grammar::from_json_schema(schema); }).find("nested more than 128 deep"),
            std::string::npos);
  std::string choices = R"({"allOf": [)";
  for (int i = 0; i < 20; ++i) {
    choices += fmt::format(R"({}{{"anyOf": [{{"minimum": {}}}, {{"maxLength": {}}}]}})", i ? "," : "", i, i);
  }
  EXPECT_NE(error_of(choices + "]}").find("more than"), std::string::npos);
}

TEST(JsonSchema, IsWrittenAsGemmaWritesCalls) {
  JsonSchemaOptions options;
  options.notation.string_quote_token = 256;
  GrammarMatcher matcher = matcher_of(Grammar::from_json_schema(boost::json::parse(R"({"type": "object",
      "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "tags": {"type": "array", "items": {"enum": ["a", 1]}}},
      "required": ["city"]})"),
                                                                options));
  const auto take = [&](std::string_view text) {
    for (const char c : text) matcher.accept(uint8_t(c));
  };
  take("{city:");
  EXPECT_FALSE(matcher.can_accept('"'));
  matcher.accept(256);
  take("a \"b\"\n{},:");
  matcher.accept(256);
  EXPECT_FALSE(matcher.can_accept(' '));
  take(",days:3,tags:[1,");
  matcher.accept(256);
  take("a");
  matcher.accept(256);
  take("]}");
  EXPECT_TRUE(matcher.must_end());
}

TEST(JsonObject, IsAnyObject) {
  const Language l(Grammar::json_object());
  expect(l, {"{}", R"({"a": 1, "b": [true, {"c": "d"}]})"}, {"[]", "1", "{} ", R"({"a"})"});
}

}  // namespace
}  // namespace paro::text
