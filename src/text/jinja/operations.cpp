#include "text/jinja/operations.h"

#include <cmath>
#include <functional>

#include "text/jinja/format.h"
#include "text/jinja/objects.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

// Numbers of both kinds in order; exact where both are integers.
int compare_numbers(const Value& a, const Value& b) {
  if (!a.is_float() && !b.is_float()) {
    if (a.is_wide() || b.is_wide()) {
      if (a.is_wide() && b.is_wide()) return a.as_wide() < b.as_wide() ? -1 : a.as_wide() > b.as_wide() ? 1 : 0;
      return a.is_wide() ? 1 : -1;
    }
    const int64_t x = *a.index(), y = *b.index();
    return x < y ? -1 : x > y ? 1 : 0;
  }
  const double x = a.number(), y = b.number();
  return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;  // 2: one is not a number
}

bool is_tuple(const Value& v) { return v.is_list() && v.as_list().is_tuple; }

}  // namespace

void fail_undefined(const Value& value) {
  const Undefined& undefined = value.as_undefined();
  const std::string name = undefined.name != nullptr ? *undefined.name : "value";
  if (undefined.owner != nullptr) fail("'{}' has no attribute '{}'", undefined.owner, name);
  fail("'{}' is undefined", name);
}

bool truth(Runtime& runtime, const Value& value) {
  if (value.is_bool()) return value.as_bool();
  if (value.is_text()) return !value.as_text().empty();
  if (value.is_list()) return !value.as_list().items.empty();
  if (value.is_dict()) return value.as_dict().size() != 0;
  if (value.is_number()) return value.number() != 0;
  if (value.is_object()) return value.as_object().truth(runtime);
  return false;
}

bool equal(Budget& budget, const Value& a, const Value& b) {
  budget.step();
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.variant().index() != b.variant().index()) return false;
  if (a.is_text()) {
    budget.step(int64_t(a.as_text().size() / 64));
    return a.as_text() == b.as_text();
  }
  if (a.is_list()) {
    const List &x = a.as_list(), &y = b.as_list();
    if (&x == &y) return true;
    if (x.is_tuple != y.is_tuple || x.items.size() != y.items.size()) return false;
    for (size_t i = 0; i < x.items.size(); ++i) {
      if (!equal(budget, x.items[i], y.items[i])) return false;
    }
    return true;
  }
  if (a.is_dict()) {
    const Dict &x = a.as_dict(), &y = b.as_dict();
    if (&x == &y) return true;
    if (x.size() != y.size()) return false;
    for (const auto& [key, value] : x.entries()) {
      const Value* other = y.find(budget, key);
      if (other == nullptr || !equal(budget, value, *other)) return false;
    }
    return true;
  }
  if (a.is_object()) {
    if (const auto* x = a.object_as<Range>(), *y = b.object_as<Range>(); x != nullptr && y != nullptr) {
      return x->same_items(*y);
    }
    return &a.as_object() == &b.as_object();
  }
  return true;
}

bool less(Budget& budget, const Value& a, const Value& b, const char* op) {
  budget.step();
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == -1;
  if (a.is_text() && b.is_text()) {
    budget.step(int64_t(a.as_text().size() / 64));
    return a.as_text() < b.as_text();  // UTF-8 sorts as code points do
  }
  if (a.is_list() && b.is_list() && a.as_list().is_tuple == b.as_list().is_tuple) {
    const auto &x = a.as_list().items, &y = b.as_list().items;
    for (size_t i = 0; i < x.size() && i < y.size(); ++i) {
      if (!equal(budget, x[i], y[i])) return less(budget, x[i], y[i], op);
    }
    return x.size() < y.size();
  }
  if (a.is_undefined()) fail_undefined(a);
  if (b.is_undefined()) fail_undefined(b);
  fail("'{}' not supported between instances of '{}' and '{}'", op, type_name(a), type_name(b));
}

size_t hash_of(Budget& budget, const Value& value) {
  budget.step();
  if (value.is_text()) {
    budget.step(int64_t(value.as_text().size() / 64));
    return std::hash<std::string_view>()(value.as_text());
  }
  if (value.is_wide()) return std::hash<uint64_t>()(value.as_wide());
  if (value.is_float()) {
    const double d = value.as_float();
    if (d == std::floor(d) && std::abs(d) < 9e18) return std::hash<int64_t>()(int64_t(d));
    if (d == std::floor(d) && d >= 0 && d < 1.8e19) return std::hash<uint64_t>()(uint64_t(d));
    return std::hash<double>()(d);
  }
  if (const auto i = value.index()) return std::hash<int64_t>()(*i);
  if (is_tuple(value)) {
    size_t hash = 1;
    for (const Value& item : value.as_list().items) hash = hash * 1000003 ^ hash_of(budget, item);
    return hash;
  }
  if (value.is_list() || value.is_dict()) fail("unhashable type: '{}'", type_name(value));
  if (value.is_object()) return std::hash<const void*>()(&value.as_object());
  return value.is_none() ? 2 : 3;
}

bool is_same(const Value& a, const Value& b) {
  if (a.variant().index() != b.variant().index()) return false;
  if (a.is_text()) return &a.as_str() == &b.as_str() || a.as_text() == b.as_text();
  if (a.is_list()) return &a.as_list() == &b.as_list();
  if (a.is_dict()) return &a.as_dict() == &b.as_dict();
  if (a.is_object()) return &a.as_object() == &b.as_object();
  return a.is_number() ? compare_numbers(a, b) == 0 : true;
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
  if (container.is_text()) {
    if (item.is_undefined()) fail("'in <string>' requires string as left operand, not Undefined");
    if (!item.is_text()) fail("'in <string>' requires string as left operand, not {}", type_name(item));
    runtime.budget.step(int64_t(container.as_text().size() / 32));
    return container.as_text().find(item.as_text()) != std::string::npos;
  }
  if (container.is_dict()) return container.as_dict().find(runtime.budget, item) != nullptr;
  if (container.is_list()) {
    for (const Value& x : container.as_list().items) {
      if (equal(runtime.budget, x, item)) return true;
    }
    return false;
  }
  if (!container.is_undefined() && !container.is_object()) {
    fail("argument of type '{}' is not iterable", type_name(container));
  }
  const Ref<Generator> items = iterate(runtime, container);
  for (Value x; items->next(runtime, x);) {
    if (equal(runtime.budget, x, item)) return true;
  }
  return false;
}

bool compare(Runtime& runtime, CompareOp op, const Value& a, const Value& b) {
  Budget& budget = runtime.budget;
  switch (op) {
    case CompareOp::equal:
      return equal(budget, a, b);
    case CompareOp::not_equal:
      return !equal(budget, a, b);
    case CompareOp::less:
      return less(budget, a, b, "<");
    case CompareOp::greater:
      return less(budget, b, a, ">");
    case CompareOp::less_equal:
    case CompareOp::greater_equal: {
      const bool at_most = op == CompareOp::less_equal;
      if (a.is_number() && b.is_number()) {
        const int order = compare_numbers(a, b);
        return order == 0 || order == (at_most ? -1 : 1);
      }
      if (at_most ? less(budget, a, b, "<=") : less(budget, b, a, ">=")) return true;
      return equal(budget, a, b);
    }
    case CompareOp::in:
      return contains(runtime, b, a);
    case CompareOp::not_in:
      return !contains(runtime, b, a);
  }
  return false;
}

std::optional<int64_t> try_length(Runtime& runtime, const Value& value) {
  if (value.is_text()) return value.as_str().length;
  if (value.is_list()) return int64_t(value.as_list().items.size());
  if (value.is_dict()) return value.as_dict().size();
  if (value.is_undefined()) return 0;
  return value.is_object() ? value.as_object().length(runtime) : std::nullopt;
}

int64_t length(Runtime& runtime, const Value& value) {
  if (const auto n = try_length(runtime, value)) return *n;
  fail("object of type '{}' has no len()", type_name(value));
}

bool is_iterable(Runtime& runtime, const Value& value) {
  if (value.is_object()) return bool(value.as_object().iterate(runtime));
  return value.is_text() || value.is_list() || value.is_dict() || value.is_undefined();
}

Ref<Generator> iterate(Runtime& runtime, const Value& value) {
  if (value.is_object()) {
    if (Ref<Generator> generator = value.as_object().iterate(runtime)) return generator;
  }
  if (value.is_text()) {
    return make_generator(runtime, 0, [&runtime, value, at = size_t(0)](Value& out) mutable {
      const std::string& text = value.as_text();
      if (at >= text.size()) return false;
      const size_t begin = at;
      decode_at(text, at);
      out = make_text(runtime, text.substr(begin, at - begin));
      return true;
    });
  }
  if (value.is_list()) {
    return make_generator(runtime, depth_of(value), [value, at = size_t(0)](Value& out) mutable {
      const auto& items = value.as_list().items;
      if (at >= items.size()) return false;
      out = items[at++];
      return true;
    });
  }
  if (value.is_dict()) {
    return make_generator(runtime, depth_of(value), [value, at = size_t(0)](Value& out) mutable {
      const auto& entries = value.as_dict().entries();
      if (at >= entries.size()) return false;
      out = entries[at++].first;
      return true;
    });
  }
  if (value.is_undefined()) {
    return make_generator(runtime, 0, [](Value&) { return false; });
  }
  fail("'{}' object is not iterable", type_name(value));
}

std::vector<Value> collect(Runtime& runtime, const Value& value) {
  if (value.is_list()) {
    runtime.budget.step(int64_t(value.as_list().items.size()));
    return value.as_list().items;
  }
  std::vector<Value> items;
  const Ref<Generator> generator = iterate(runtime, value);
  for (Value item; generator->next(runtime, item);) {
    runtime.budget.bytes(sizeof(Value));
    items.push_back(std::move(item));
  }
  return items;
}

std::string replaced(Budget& budget, std::string_view text, std::string_view from, std::string_view to, int64_t limit) {
  Text out(budget);
  budget.step(int64_t(text.size() / 8));
  size_t at = 0;
  for (int64_t done = 0; limit < 0 || done < limit; ++done) {
    if (from.empty()) {  // between all code points, and at both ends
      out.add(to);
      if (at >= text.size()) return out.take();
      const size_t begin = at;
      decode_at(text, at);
      out.add(text.substr(begin, at - begin));
      continue;
    }
    const size_t found = text.find(from, at);
    if (found == std::string_view::npos) break;
    out.add(text.substr(at, found - at));
    out.add(to);
    at = found + from.size();
  }
  out.add(text.substr(at));
  return out.take();
}

// A merge sort of its own: it stays within its bounds when a comparison is inconsistent (NaN).
std::vector<Value> sorted(Budget& budget, const std::vector<Value>& items, const std::vector<Value>& keys,
                          bool reverse) {
  const size_t n = items.size();
  budget.product(int64_t(n), 2 * sizeof(size_t));
  std::vector<size_t> order(n), merged(n);
  for (size_t i = 0; i < n; ++i) order[i] = i;
  const auto before = [&](size_t a, size_t b) {
    return reverse ? less(budget, keys[b], keys[a]) : less(budget, keys[a], keys[b]);
  };
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t begin = 0; begin < n; begin += 2 * width) {
      const size_t middle = std::min(begin + width, n), end = std::min(begin + 2 * width, n);
      size_t left = begin, right = middle;
      for (size_t out = begin; out < end; ++out) {
        const bool take_right = left >= middle || (right < end && before(order[right], order[left]));
        merged[out] = take_right ? order[right++] : order[left++];
      }
    }
    order.swap(merged);
  }
  std::vector<Value> out;
  out.reserve(n);
  for (const size_t i : order) out.push_back(items[i]);
  return out;
}

}  // namespace paro::text::jinja
