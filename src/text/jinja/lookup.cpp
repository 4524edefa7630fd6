// value.name, value[key] and value[a:b:c], with the rules of jinja2's immutable sandbox: what would change a list or
// dict, and what starts with an underscore, is undefined.
#include <algorithm>

#include "text/jinja/format.h"
#include "text/jinja/objects.h"
#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

bool is_internal(std::string_view name) {
  return name.size() > 4 && name.substr(0, 2) == "__" && name.substr(name.size() - 2) == "__";
}

Value bind_method(Builtin function, const Value& self, std::string_view name) {
  return Value::object(make_ref<Function>("method", name, function, self));
}

std::optional<Value> number_attribute(const Value& value, std::string_view name) {
  if (name == "real") return positive(value);
  if (name == "imag") return value.is_float() ? Value::real(0) : Value::integer(0);
  if (!value.is_float() && name == "numerator") return positive(value);
  if (!value.is_float() && name == "denominator") return Value::integer(1);
  return std::nullopt;
}

std::optional<Value> text_item(Runtime& runtime, const Str& text, int64_t index) {
  if (index < 0) index += text.length;
  if (index < 0 || index >= text.length) return std::nullopt;
  if (text.ascii()) return make_text(runtime, text.text.substr(size_t(index), 1), text.markup);
  runtime.budget.step(index / 16);
  size_t at = 0;
  for (int64_t i = 0; i < index; ++i) decode_at(text.text, at);
  const size_t begin = at;
  decode_at(text.text, at);
  return make_text(runtime, text.text.substr(begin, at - begin), text.markup);
}

std::optional<Value> find_item(Runtime& runtime, const Value& value, const Value& key) {
  if (value.is_dict()) {
    if (key.is_list() && !key.as_list().is_tuple) return std::nullopt;
    if (key.is_dict()) return std::nullopt;
    const Value* found =
        key.is_text() ? value.as_dict().find(key.as_text()) : value.as_dict().find(runtime.budget, key);
    return found != nullptr ? std::optional<Value>(*found) : std::nullopt;
  }
  const std::optional<int64_t> index = key.index();
  if (!index) return std::nullopt;
  if (value.is_text()) return text_item(runtime, value.as_str(), *index);
  if (value.is_list()) {
    const auto& items = value.as_list().items;
    const int64_t at = *index < 0 ? *index + int64_t(items.size()) : *index;
    if (at < 0 || at >= int64_t(items.size())) return std::nullopt;
    return items[size_t(at)];
  }
  if (value.is_object()) return value.as_object().item(runtime, *index);
  return std::nullopt;
}

// The bounds of a slice over n items, as Python's slice.indices(n).
struct SliceRange {
  int64_t start, stop, step, count;
};

std::optional<int64_t> slice_bound(const Value& bound) {
  if (bound.is_none()) return std::nullopt;
  if (bound.is_undefined()) fail_undefined(bound);
  const auto index = bound.index();
  if (!index) fail("slice indices must be integers or None, not {}", type_name(bound));
  return index;
}

SliceRange slice_range(int64_t n, const Value& start, const Value& stop, const Value& step) {
  SliceRange range{};
  range.step = slice_bound(step).value_or(1);
  if (range.step == 0) fail("slice step cannot be zero");
  range.step = std::max(range.step, -INT64_MAX);
  const int64_t low = range.step > 0 ? 0 : -1, high = range.step > 0 ? n : n - 1;
  const auto place = [&](const Value& bound, int64_t otherwise) {
    const auto given = slice_bound(bound);
    if (!given) return otherwise;
    const int64_t at = *given < 0 ? *given + n : *given;
    return std::clamp(at, low, high);
  };
  range.start = place(start, range.step > 0 ? 0 : n - 1);
  range.stop = place(stop, range.step > 0 ? n : -1);
  if (range.step > 0) {
    range.count = range.start < range.stop ? (range.stop - range.start - 1) / range.step + 1 : 0;
  } else {
    range.count = range.stop < range.start ? (range.start - range.stop - 1) / -range.step + 1 : 0;
  }
  return range;
}

Value slice_text(Runtime& runtime, const Str& text, const SliceRange& range) {
  std::string out;
  runtime.budget.step(int64_t(text.text.size() / 16));
  if (text.ascii()) {
    if (range.step == 1)
      return make_text(runtime, text.text.substr(size_t(range.start), size_t(range.count)), text.markup);
    for (int64_t i = 0; i < range.count; ++i) out.push_back(text.text[size_t(range.start + i * range.step)]);
    return make_text(runtime, std::move(out), text.markup);
  }
  const std::u32string points = to_code_points(text.text);
  for (int64_t i = 0; i < range.count; ++i) append_utf8(out, points[size_t(range.start + i * range.step)]);
  return make_text(runtime, std::move(out), text.markup);
}

}  // namespace

std::optional<Value> find_attribute(Runtime& runtime, const Value& value, std::string_view name) {
  if (value.is_object()) return value.as_object().attribute(runtime, name);
  Builtin method = nullptr;
  if (value.is_text()) {
    method = find_text_method(name);
  } else if (value.is_list()) {
    const List& list = value.as_list();
    if (list.is_group && (name == "grouper" || name == "list")) return list.items[name == "list" ? 1 : 0];
    method = find_list_method(name, list.is_tuple);
  } else if (value.is_dict()) {
    method = find_dict_method(name);
  } else if (value.is_number() && !value.is_wide()) {
    return number_attribute(value, name);
  }
  if (method == nullptr) return std::nullopt;
  return bind_method(method, value, name);
}

// Methods that would change their object exist in Python, so they hide an item of that name; calling them is refused.
static bool is_mutator(const Value& value, std::string_view name) {
  static constexpr std::string_view kDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
  static constexpr std::string_view kList[] = {"append", "clear",  "extend",  "insert",
                                               "pop",    "remove", "reverse", "sort"};
  if (value.is_dict()) return std::find(std::begin(kDict), std::end(kDict), name) != std::end(kDict);
  if (value.is_list() && !value.as_list().is_tuple)
    return std::find(std::begin(kList), std::end(kList), name) != std::end(kList);
  return false;
}

Value get_attribute(Runtime& runtime, const Value& value, const std::string& name) {
  if (value.is_undefined()) fail_undefined(value);
  if (is_internal(name) || is_mutator(value, name)) return Value::undefined(&name, type_name(value));
  if (auto found = find_attribute(runtime, value, name)) return std::move(*found);
  if (value.is_dict()) {
    if (const Value* found = value.as_dict().find(name)) return *found;
  }
  return Value::undefined(&name, type_name(value));
}

Value get_item(Runtime& runtime, const Value& value, const Value& key) {
  if (value.is_undefined()) fail_undefined(value);
  if (auto found = find_item(runtime, value, key)) return std::move(*found);
  if (key.is_text() && !key.as_text().empty() && key.as_text()[0] != '_' && !is_mutator(value, key.as_text())) {
    if (auto found = find_attribute(runtime, value, key.as_text())) return std::move(*found);
  }
  return Value::undefined(nullptr, type_name(value));
}

Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop, const Value& step) {
  if (value.is_undefined()) fail_undefined(value);
  if (value.is_text())
    return slice_text(runtime, value.as_str(), slice_range(value.as_str().length, start, stop, step));
  if (value.is_list()) {
    const auto& items = value.as_list().items;
    const SliceRange range = slice_range(int64_t(items.size()), start, stop, step);
    runtime.budget.product(range.count, sizeof(Value));
    std::vector<Value> out;
    for (int64_t i = 0; i < range.count; ++i) out.push_back(items[size_t(range.start + i * range.step)]);
    return value.as_list().is_tuple ? make_tuple(runtime, std::move(out)) : make_list(runtime, std::move(out));
  }
  if (const auto* whole = value.object_as<Range>()) {
    const SliceRange range = slice_range(whole->size(), start, stop, step);
    const auto place = [&](int64_t i) {
      int64_t at = 0;
      if (__builtin_mul_overflow(i, whole->step(), &at) || __builtin_add_overflow(at, whole->at(0), &at)) {
        fail("an integer exceeds 64 bits");
      }
      return at;
    };
    int64_t stride = 0;
    if (__builtin_mul_overflow(range.step, whole->step(), &stride)) fail("an integer exceeds 64 bits");
    return Value::object(make_ref<Range>(place(range.start), place(range.stop), stride));
  }
  if (value.is_dict()) fail("unhashable type: 'slice'");
  fail("'{}' object is not subscriptable", type_name(value));
}

Value get_path(Runtime& runtime, Value value, const Value& path, const Value* otherwise) {
  if (path.is_none()) return value;
  const auto look = [&](const Value& key) {
    value = get_item(runtime, value, key);
    if (otherwise != nullptr && !otherwise->is_none() && value.is_undefined()) value = *otherwise;
  };
  if (!path.is_text()) {
    look(path);
    return value;
  }
  const std::string& text = path.as_text();
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('.', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const bool digits = !part.empty() && part.size() < 18 && part.find_first_not_of("0123456789") == std::string::npos;
    look(digits ? Value::integer(std::stoll(part)) : make_text(runtime, part));
    begin = end + 1;
  }
  return value;
}

}  // namespace paro::text::jinja
