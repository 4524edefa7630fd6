#include "text/grammar/value_writer.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/grammar/tree.h"
#include "text/utf8.h"

namespace paro::text {
namespace {

using Expression = GrammarBuilder::Expression;

// Beyond these a number says no more, and a model that repeats digits must come to an end.
constexpr uint32_t kMaxIntegerDigits = 20, kMaxFractionDigits = 20, kMaxExponentDigits = 3;

constexpr std::string_view kBareStructure = "{}[],:";

std::string json_character(char32_t code) {
  constexpr std::string_view kNamed = "\b\f\n\r\t\"\\", kLetters = "bfnrt\"\\";
  const size_t named = code < 0x80 ? kNamed.find(char(code)) : std::string_view::npos;
  if (named != std::string_view::npos) return {'\\', kLetters[named]};
  if (code < 0x20) return fmt::format("\\u{:04x}", uint32_t(code));
  std::string out;
  append_utf8(out, code);
  return out;
}

// As people write it: whole numbers without a point, and an exponent only where digits would be many.
std::string json_number(double value) {
  constexpr double kExactlyWhole = 9007199254740992;
  const bool is_whole = value == std::floor(value) && std::abs(value) < kExactlyWhole;
  return is_whole ? fmt::format("{}", int64_t(value)) : fmt::format("{}", value);
}

}  // namespace

Expression ValueWriter::comma() {
  if (has_bare_keys()) return builder_.literal(",");
  return builder_.sequence({builder_.literal(","), builder_.optional(builder_.literal(" "))});
}

Expression ValueWriter::colon() {
  if (has_bare_keys()) return builder_.literal(":");
  return builder_.sequence({builder_.literal(":"), builder_.optional(builder_.literal(" "))});
}

Expression ValueWriter::quoted(Expression content) {
  if (has_bare_keys()) {
    const Expression quote = builder_.token(*notation_.string_quote_token);
    return builder_.sequence({quote, content, quote});
  }
  return builder_.sequence({builder_.literal("\""), content, builder_.literal("\"")});
}

Expression ValueWriter::key_of(Expression content) { return has_bare_keys() ? content : quoted(content); }

Expression ValueWriter::key(std::string_view name) {
  if (has_bare_keys() && (name.empty() || name.find_first_of(kBareStructure) != std::string_view::npos)) {
    throw Error(ErrorKind::request,
                "property name '{}': a name without quotes, as this model writes it, has none of {}", name,
                kBareStructure);
  }
  return key_of(content(name));
}

Expression ValueWriter::content(std::string_view text) {
  if (has_bare_keys()) return builder_.literal(text);
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char read = utf8_char(text, at);
    out += json_character(read.code);
    at += read.length_bytes;
  }
  return builder_.literal(out);
}

Expression ValueWriter::character(std::span<const CodeRange> ranges) {
  if (has_bare_keys()) return builder_.character(ranges);
  std::vector<CodeRange> plain;
  std::vector<Expression> parts;
  const auto is_escaped = [](char32_t code) { return code < 0x20 || code == '"' || code == '\\'; };
  for (const CodeRange range : ranges) {
    char32_t next = range.low;
    for (char32_t code = range.low; code <= std::min<char32_t>(range.high, '\\'); ++code) {
      if (!is_escaped(code)) continue;
      if (next < code) plain.push_back({next, code - 1});
      parts.push_back(builder_.literal(json_character(code)));
      next = code + 1;
    }
    if (next <= range.high) plain.push_back({next, range.high});
  }
  parts.push_back(builder_.character(plain));
  return builder_.alternatives(parts);
}

Expression ValueWriter::any_character() {
  if (any_character_) return *any_character_;
  if (has_bare_keys()) return *(any_character_ = builder_.any_character());
  const CodeRange special[] = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
  const auto one_of = [&](std::string_view letters) {
    std::vector<CodeRange> ranges;
    for (const char c : letters) ranges.push_back({char32_t(c), char32_t(c)});
    return builder_.character(ranges);
  };
  const Expression hex = one_of("0123456789abcdefABCDEF");
  const Expression d = one_of("dD");
  // Halves of surrogate pairs come in twos.
  const Expression unit = builder_.alternatives(
      {builder_.sequence({one_of("0123456789abcefABCEF"), hex, hex, hex}),
       builder_.sequence({d, one_of("01234567"), hex, hex}),
       builder_.sequence({d, one_of("89abAB"), hex, hex, builder_.literal("\\u"), d, one_of("cdefCDEF"), hex, hex})});
  const Expression escape =
      builder_.alternatives({one_of("\"\\/bfnrt"), builder_.sequence({builder_.literal("u"), unit})});
  any_character_ =
      builder_.alternatives({builder_.character(special, true), builder_.sequence({builder_.literal("\\"), escape})});
  return *any_character_;
}

Expression ValueWriter::literal(const boost::json::value& value) {
  if (value.is_string()) return quoted(content(value.get_string()));
  if (value.is_double()) return builder_.literal(json_number(value.get_double()));
  if (!value.is_array() && !value.is_object()) return builder_.literal(boost::json::serialize(value));
  std::vector<Expression> parts{builder_.literal(value.is_array() ? "[" : "{")};
  if (value.is_array()) {
    for (const boost::json::value& item : value.get_array()) {
      if (parts.size() > 1) parts.push_back(comma());
      parts.push_back(literal(item));
    }
  } else {
    for (const auto& member : value.get_object()) {
      if (parts.size() > 1) parts.push_back(comma());
      parts.insert(parts.end(), {key(member.key()), colon(), literal(member.value())});
    }
  }
  parts.push_back(builder_.literal(value.is_array() ? "]" : "}"));
  return builder_.sequence(parts);
}

Expression ValueWriter::list(char open, Expression item, char close) {
  const Expression rest = builder_.repeat(builder_.sequence({comma(), item}), 0);
  return builder_.sequence({builder_.literal({&open, 1}), builder_.optional(builder_.sequence({item, rest})),
                            builder_.literal({&close, 1})});
}

Expression ValueWriter::once(std::optional<GrammarBuilder::Rule>& rule, std::string name,
                             Expression (ValueWriter::*draw)()) {
  if (!rule) {
    rule = builder_.declare_rule(std::move(name));
    builder_.define(*rule, (this->*draw)());
  }
  return builder_.use(*rule);
}

Expression ValueWriter::any_value() { return once(value_, "any value", &ValueWriter::draw_value); }
Expression ValueWriter::any_string() { return once(string_, "any string", &ValueWriter::draw_string); }
Expression ValueWriter::any_integer() { return once(integer_, "any integer", &ValueWriter::draw_integer); }
Expression ValueWriter::any_number() { return once(number_, "any number", &ValueWriter::draw_number); }

Expression ValueWriter::draw_value() {
  return builder_.alternatives({null(), boolean(), any_number(), any_string(), any_array(), any_object()});
}

Expression ValueWriter::any_array() { return list('[', any_value(), ']'); }

Expression ValueWriter::any_object() {
  const CodeRange structure[] = {{0, 0x1F}, {'{', '{'}, {'}', '}'}, {'[', '['}, {']', ']'}, {',', ','}, {':', ':'}};
  const Expression name = has_bare_keys() ? builder_.repeat(builder_.character(structure, true), 1) : any_string();
  return list('{', builder_.sequence({name, colon(), any_value()}), '}');
}

Expression ValueWriter::draw_string() { return quoted(builder_.repeat(any_character(), 0)); }

Expression ValueWriter::digits(uint32_t min, uint32_t max) {
  return builder_.repeat(builder_.byte('0', '9'), min, max);
}

Expression ValueWriter::draw_integer() {
  const Expression positive = builder_.sequence({builder_.byte('1', '9'), digits(0, kMaxIntegerDigits - 1)});
  return builder_.alternatives(
      {builder_.literal("0"), builder_.sequence({builder_.optional(builder_.literal("-")), positive})});
}

Expression ValueWriter::draw_number() {
  const Expression sign = builder_.alternatives({builder_.literal("+"), builder_.literal("-")});
  const Expression e = builder_.alternatives({builder_.literal("e"), builder_.literal("E")});
  const Expression whole = builder_.alternatives(
      {builder_.literal("0"), builder_.sequence({builder_.byte('1', '9'), digits(0, kMaxIntegerDigits - 1)})});
  const Expression fraction = builder_.sequence({builder_.literal("."), digits(1, kMaxFractionDigits)});
  const Expression exponent = builder_.sequence({e, builder_.optional(sign), digits(1, kMaxExponentDigits)});
  return builder_.sequence(
      {builder_.optional(builder_.literal("-")), whole, builder_.optional(fraction), builder_.optional(exponent)});
}

Expression ValueWriter::boolean() {
  return builder_.alternatives({builder_.literal("true"), builder_.literal("false")});
}
Expression ValueWriter::null() { return builder_.literal("null"); }

}  // namespace paro::text
