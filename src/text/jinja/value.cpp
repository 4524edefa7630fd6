#include "text/jinja/value.h"

#include <algorithm>

#include "text/jinja/operations.h"
#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

// Fewer entries are searched one by one.
constexpr size_t kSmallDict = 8;

int checked_depth(int depth) {
  if (depth > kMaxValueDepth) fail("values are nested more than {} deep", kMaxValueDepth);
  return depth;
}

Value make_sequence(Runtime& runtime, std::vector<Value> items, bool is_tuple) {
  runtime.budget.bytes(int64_t(sizeof(List) + items.size() * sizeof(Value)));
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, depth_of(item));
  return Value::list(make_ref<List>(std::move(items), is_tuple, checked_depth(depth + 1)));
}

}  // namespace

Str::Str(std::string text_, bool markup_) : text(std::move(text_)), length(count_code_points(text)), markup(markup_) {}

double Value::number() const {
  if (is_float()) return as_float();
  if (is_wide()) return double(as_wide());
  return double(index().value_or(0));
}

const Value* Dict::find(Budget& budget, const Value& key) const {
  const size_t hash = hash_of(budget, key);
  if (entries_.size() <= kSmallDict) {
    for (const auto& [k, v] : entries_) {
      if (equal(budget, k, key)) return &v;
    }
    return nullptr;
  }
  const auto [begin, end] = rows_.equal_range(hash);
  for (auto row = begin; row != end; ++row) {
    const auto& [k, v] = entries_[row->second];
    if (equal(budget, k, key)) return &v;
  }
  return nullptr;
}

const Value* Dict::find(std::string_view key) const {
  if (entries_.size() <= kSmallDict) {
    for (const auto& [k, v] : entries_) {
      if (k.is_text() && k.as_text() == key) return &v;
    }
    return nullptr;
  }
  const auto [begin, end] = rows_.equal_range(std::hash<std::string_view>()(key));
  for (auto row = begin; row != end; ++row) {
    const auto& [k, v] = entries_[row->second];
    if (k.is_text() && k.as_text() == key) return &v;
  }
  return nullptr;
}

void Dict::set(Budget& budget, const Value& key, Value value) {
  budget.bytes(int64_t(2 * sizeof(Value) + 16));
  depth_ = std::max({depth_, checked_depth(depth_of(value) + 1), checked_depth(depth_of(key) + 1)});
  if (const Value* old = find(budget, key)) {
    *const_cast<Value*>(old) = std::move(value);
    return;
  }
  entries_.emplace_back(key, std::move(value));
  if (entries_.size() == kSmallDict + 1) {
    for (size_t i = 0; i < entries_.size(); ++i) rows_.emplace(hash_of(budget, entries_[i].first), uint32_t(i));
  } else if (entries_.size() > kSmallDict) {
    rows_.emplace(hash_of(budget, key), uint32_t(entries_.size() - 1));
  }
}

Value Object::call(Runtime&, Args&) { fail("'{}' object is not callable", type_name()); }

void Object::repr(Runtime&, Text& out) { out.add(fmt::format("<{} object>", type_name())); }

bool Generator::next(Runtime& runtime, Value& out) {
  runtime.budget.step();
  const Budget::Level level(runtime.budget);
  if (!next_) return false;
  if (next_(out)) return true;
  next_ = nullptr;
  return false;
}

const char* type_name(const Value& value) {
  switch (value.variant().index()) {
    case 0:
    case 1:
      return "Undefined";
    case 2:
      return "NoneType";
    case 3:
      return "bool";
    case 4:
    case 5:
      return "int";
    case 6:
      return "float";
    case 7:
      return value.as_str().markup ? "Markup" : "str";
    case 8:
      return value.as_list().is_tuple ? "tuple" : "list";
    case 9:
      return "dict";
    default:
      return value.as_object().type_name();
  }
}

int depth_of(const Value& value) {
  if (value.is_list()) return value.as_list().depth;
  if (value.is_dict()) return value.as_dict().depth();
  return value.is_object() ? value.as_object().depth() : 0;
}

Value make_text(Runtime& runtime, std::string text, bool markup) {
  runtime.budget.bytes(int64_t(sizeof(Str) + text.size()));
  return Value::text(make_ref<Str>(std::move(text), markup));
}

Value make_list(Runtime& runtime, std::vector<Value> items) { return make_sequence(runtime, std::move(items), false); }
Value make_tuple(Runtime& runtime, std::vector<Value> items) { return make_sequence(runtime, std::move(items), true); }

Ref<Generator> make_generator(Runtime& runtime, int source_depth, Generator::Next next) {
  runtime.budget.bytes(int64_t(sizeof(Generator)) + 64);
  return make_ref<Generator>(std::move(next), checked_depth(source_depth + 1));
}

}  // namespace paro::text::jinja
