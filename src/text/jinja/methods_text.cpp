#include "text/jinja/methods_text.h"

#include "text/jinja/operations.h"

namespace paro::text::jinja {

Value like(Runtime& runtime, const Value& self, std::string text) {
  return make_text(runtime, std::move(text), self.as_str().markup);
}

const std::string& required_text(const Value* value, std::string_view what) {
  if (value->is_undefined()) fail_undefined(*value);
  if (!value->is_text()) fail("{} must be str, not {}", what, type_name(*value));
  return value->as_text();
}

Builtin find_text_method(std::string_view name) {
  for (const auto find : {find_parts_method, find_search_method, find_letters_method, find_layout_method}) {
    if (const Builtin method = find(name)) return method;
  }
  return nullptr;
}

}  // namespace paro::text::jinja
