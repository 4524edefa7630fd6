// The methods of str about its letters: upper and lower case, and what they are.
#include "text/jinja/methods_text.h"

#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

using Predicate = bool (*)(char32_t);

template <std::string (*kConvert)(std::string_view)>
Value method_case(Runtime& runtime, const Value& self, Args& args) {
  Bound("str method", args, {});
  runtime.budget.bytes(int64_t(self.as_text().size()));
  runtime.budget.step(int64_t(self.as_text().size() / 8));
  return like(runtime, self, kConvert(self.as_text()));
}

template <Predicate kPredicate>
Value method_all(Runtime& runtime, const Value& self, Args& args) {
  Bound("str method", args, {});
  const std::string& text = self.as_text();
  runtime.budget.step(int64_t(text.size() / 16));
  for (size_t at = 0; at < text.size();) {
    if (!kPredicate(decode_at(text, at))) return Value::boolean(false);
  }
  return Value::boolean(!text.empty());
}

bool is_alnum(char32_t c) { return is_alpha(c) || is_numeric(c); }

Value method_isprintable(Runtime& runtime, const Value& self, Args& args) {
  return self.as_text().empty() ? Value::boolean(true) : method_all<is_printable>(runtime, self, args);
}

Value method_isascii(Runtime&, const Value& self, Args& args) {
  Bound("isascii", args, {});
  return Value::boolean(self.as_str().ascii());
}

Value method_isidentifier(Runtime& runtime, const Value& self, Args& args) {
  Bound("isidentifier", args, {});
  runtime.budget.step(self.as_str().length / 16);
  return Value::boolean(is_identifier(self.as_text()));
}

Value cased(Runtime& runtime, const Value& self, Args& args, bool upper) {
  Bound(upper ? "isupper" : "islower", args, {});
  const std::string& text = self.as_text();
  runtime.budget.step(int64_t(text.size() / 16));
  bool any = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = decode_at(text, at);
    if (is_title(c) || (upper ? is_lower(c) : is_upper(c))) return Value::boolean(false);
    any = any || (upper ? is_upper(c) : is_lower(c));
  }
  return Value::boolean(any);
}

Value method_isupper(Runtime& runtime, const Value& self, Args& args) { return cased(runtime, self, args, true); }
Value method_islower(Runtime& runtime, const Value& self, Args& args) { return cased(runtime, self, args, false); }

Value method_istitle(Runtime& runtime, const Value& self, Args& args) {
  Bound("istitle", args, {});
  const std::string& text = self.as_text();
  runtime.budget.step(int64_t(text.size() / 16));
  bool any = false, in_word = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = decode_at(text, at);
    if (is_upper(c) || is_title(c)) {
      if (in_word) return Value::boolean(false);
      any = in_word = true;
    } else if (is_lower(c)) {
      if (!in_word) return Value::boolean(false);
      any = true;
    } else {
      in_word = false;
    }
  }
  return Value::boolean(any);
}

constexpr BuiltinRow kMethods[] = {
    {"capitalize", method_case<capitalized>},
    {"casefold", method_case<case_folded>},
    {"isalnum", method_all<is_alnum>},
    {"isalpha", method_all<is_alpha>},
    {"isascii", method_isascii},
    {"isdecimal", method_all<is_decimal>},
    {"isdigit", method_all<is_digit>},
    {"isidentifier", method_isidentifier},
    {"islower", method_islower},
    {"isnumeric", method_all<is_numeric>},
    {"isprintable", method_isprintable},
    {"isspace", method_all<is_space>},
    {"istitle", method_istitle},
    {"isupper", method_isupper},
    {"lower", method_case<to_lower>},
    {"swapcase", method_case<swapped_case>},
    {"title", method_case<to_title>},
    {"upper", method_case<to_upper>},
};

}  // namespace

Builtin find_letters_method(std::string_view name) { return find_builtin(kMethods, name); }

}  // namespace paro::text::jinja
