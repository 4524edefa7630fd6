// Filters over sequences. Those that are generators in jinja2 are lazy here too: they give their items once, and fail
// only when read.
#include <algorithm>

#include "text/jinja/filters.h"
#include "text/jinja/format.h"
#include "text/jinja/objects.h"
#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

Value generator(Runtime& runtime, int depth, Generator::Next next) {
  return Value::object(make_generator(runtime, depth, std::move(next)));
}

// Of a generator that holds the value and the arguments.
int depth_with(const Value& self, const Args& args) {
  int depth = depth_of(self);
  for (const Value& value : args.positional) depth = std::max(depth, depth_of(value));
  for (const auto& [name, value] : args.named) depth = std::max(depth, depth_of(value));
  return depth;
}

// Strings compare without case unless asked for.
Value sort_key(Runtime& runtime, const Value& value, bool case_sensitive) {
  if (case_sensitive || !value.is_text()) return value;
  Args none;
  return find_text_method("lower")(runtime, value, none);
}

Value filter_length(Runtime& runtime, const Value& self, Args& args) {
  Bound("length", args, {});
  return Value::integer(length(runtime, self));
}

Value filter_list(Runtime& runtime, const Value& self, Args& args) {
  Bound("list", args, {});
  return make_list(runtime, collect(runtime, self));
}

Value filter_first(Runtime& runtime, const Value& self, Args& args) {
  Bound("first", args, {});
  Value item;
  return iterate(runtime, self)->next(runtime, item) ? item : Value::undefined();
}

bool is_reversible(const Value& value) {
  return value.is_list() || value.is_dict() || value.is_undefined() || value.is_text() ||
         value.object_as<Range>() != nullptr || value.object_as<DictView>() != nullptr;
}

Value filter_last(Runtime& runtime, const Value& self, Args& args) {
  Bound("last", args, {});
  if (!is_reversible(self)) fail("'{}' object is not reversible", type_name(self));
  if (self.is_text())
    return self.as_str().length > 0 ? get_item(runtime, self, Value::integer(-1)) : Value::undefined();
  const std::vector<Value> items = collect(runtime, self);
  return items.empty() ? Value::undefined() : items.back();
}

Value filter_reverse(Runtime& runtime, const Value& self, Args& args) {
  Bound("reverse", args, {});
  if (self.is_text()) {
    std::u32string points = to_code_points(self.as_text());
    std::reverse(points.begin(), points.end());
    return make_text(runtime, to_utf8(points), self.as_str().markup);
  }
  if (!is_iterable(runtime, self)) fail("argument must be iterable");
  std::vector<Value> items = collect(runtime, self);
  std::reverse(items.begin(), items.end());
  const Value reversed = make_list(runtime, std::move(items));
  return is_reversible(self) ? Value::object(iterate(runtime, reversed)) : reversed;
}

Value filter_items(Runtime& runtime, const Value& self, Args& args) {
  Bound("items", args, {});
  return generator(runtime, depth_of(self) + 1, [&runtime, self, i = size_t(0)](Value& out) mutable {
    if (self.is_undefined()) return false;
    if (!self.is_dict()) fail("Can only get item pairs from a mapping.");
    const auto& entries = self.as_dict().entries();
    if (i >= entries.size()) return false;
    out = make_tuple(runtime, {entries[i].first, entries[i].second});
    ++i;
    return true;
  });
}

Value filter_dictsort(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("dictsort", args, {"case_sensitive", "by", "reverse"});
  const bool case_sensitive = bound.truth(runtime, 0, false);
  const std::string by = bound[1] != nullptr && bound[1]->is_text() ? bound[1]->as_text()
                         : bound[1] != nullptr                      ? ""
                                                                    : "key";
  if (by != "key" && by != "value") fail("You can only sort by either \"key\" or \"value\"");
  if (self.is_undefined()) fail_undefined(self);
  if (!self.is_dict()) fail("'{}' object has no attribute 'items'", type_name(self));
  std::vector<Value> pairs, keys;
  for (const auto& [key, value] : self.as_dict().entries()) {
    pairs.push_back(make_tuple(runtime, {key, value}));
    keys.push_back(sort_key(runtime, by == "key" ? key : value, case_sensitive));
  }
  return make_list(runtime, sorted(runtime.budget, pairs, keys, bound.integer(2, 0) != 0));
}

Value filter_sort(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("sort", args, {"reverse", "case_sensitive", "attribute"});
  const bool case_sensitive = bound.truth(runtime, 1, false);
  std::vector<Value> paths;
  if (bound[2] != nullptr && bound[2]->is_text()) {
    Args comma{{Value::constant(",")}, {}};
    paths = find_text_method("split")(runtime, *bound[2], comma).as_list().items;
  } else {
    paths.push_back(bound.get(2, Value()));
  }
  const std::vector<Value> items = collect(runtime, self);
  std::vector<Value> keys;
  for (const Value& item : items) {
    std::vector<Value> parts;
    for (const Value& path : paths) parts.push_back(sort_key(runtime, get_path(runtime, item, path), case_sensitive));
    keys.push_back(make_list(runtime, std::move(parts)));
  }
  return make_list(runtime, sorted(runtime.budget, items, keys, bound.integer(0, 0) != 0));
}

Value filter_unique(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("unique", args, {"case_sensitive", "attribute"});
  const bool case_sensitive = bound.truth(runtime, 0, false);
  const Value path = bound.get(1, Value());
  const Ref<Dict> seen = make_ref<Dict>();
  return generator(runtime, depth_with(self, args),
                   [&runtime, self, path, case_sensitive, seen, items = Ref<Generator>()](Value& out) mutable {
                     if (!items) items = iterate(runtime, self);
                     while (items->next(runtime, out)) {
                       const Value key = sort_key(runtime, get_path(runtime, out, path), case_sensitive);
                       if (seen->find(runtime.budget, key) != nullptr) continue;
                       seen->set(runtime.budget, key, Value());
                       return true;
                     }
                     return false;
                   });
}

Value extreme(Runtime& runtime, const Value& self, Args& args, bool largest) {
  const Bound bound(largest ? "max" : "min", args, {"case_sensitive", "attribute"});
  const bool case_sensitive = bound.truth(runtime, 0, false);
  const Value path = bound.get(1, Value());
  const Ref<Generator> items = iterate(runtime, self);
  Value best, best_key;
  bool any = false;
  for (Value item; items->next(runtime, item);) {
    const Value key = sort_key(runtime, get_path(runtime, item, path), case_sensitive);
    if (!any || (largest ? less(runtime.budget, best_key, key, ">") : less(runtime.budget, key, best_key))) {
      best = item;
      best_key = key;
    }
    any = true;
  }
  return any ? best : Value::undefined();
}

Value filter_min(Runtime& runtime, const Value& self, Args& args) { return extreme(runtime, self, args, false); }
Value filter_max(Runtime& runtime, const Value& self, Args& args) { return extreme(runtime, self, args, true); }

Value filter_sum(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("sum", args, {"attribute", "start"});
  Value total = bound.get(1, Value::integer(0));
  if (total.is_text()) fail("sum() can't sum strings [use ''.join(seq) instead]");
  const Value path = bound.get(0, Value());
  const Ref<Generator> items = iterate(runtime, self);
  for (Value item; items->next(runtime, item);) {
    total = binary(runtime, BinaryOp::add, total, get_path(runtime, item, path));
  }
  return total;
}

Value filter_batch(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("batch", args, {"linecount", "fill_with"}, 1);
  const Value size = *bound[0], fill = bound.get(1, Value());
  return generator(runtime, depth_with(self, args) + 1,
                   [&runtime, self, size, fill, items = Ref<Generator>(), ended = false](Value& out) mutable {
                     if (!items) items = iterate(runtime, self);
                     if (ended) return false;
                     std::vector<Value> row;
                     while (row.empty() || !equal(runtime.budget, Value::integer(int64_t(row.size())), size)) {
                       Value item;
                       if (!items->next(runtime, item)) {
                         ended = true;
                         break;
                       }
                       row.push_back(std::move(item));
                     }
                     if (row.empty()) return false;
                     if (ended && !fill.is_none()) {
                       if (!size.index()) fail("batch: expected an integer, got {}", type_name(size));
                       const int64_t missing = std::max<int64_t>(*size.index() - int64_t(row.size()), 0);
                       runtime.budget.product(missing, sizeof(Value));
                       row.insert(row.end(), size_t(missing), fill);
                     }
                     out = make_list(runtime, std::move(row));
                     return true;
                   });
}

Value filter_slice(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("slice", args, {"slices", "fill_with"}, 1);
  const Value slices = *bound[0], fill = bound.get(1, Value());
  struct State {
    bool started = false;
    std::vector<Value> items;
    int64_t count = 0, number = 0, offset = 0;
  };
  return generator(runtime, depth_with(self, args) + 1,
                   [&runtime, self, slices, fill, state = State()](Value& out) mutable {
                     if (!state.started) {
                       state.started = true;
                       state.items = collect(runtime, self);
                       if (!slices.index()) fail("slice: expected an integer, got {}", type_name(slices));
                       state.count = *slices.index();
                       if (state.count == 0) fail("integer division or modulo by zero");
                     }
                     if (state.number >= state.count) return false;
                     const int64_t n = int64_t(state.items.size()), each = n / state.count, extra = n % state.count;
                     const int64_t begin = state.offset + state.number * each;
                     if (state.number < extra) ++state.offset;
                     const int64_t end = state.offset + (state.number + 1) * each;
                     std::vector<Value> row(state.items.begin() + begin, state.items.begin() + end);
                     if (!fill.is_none() && state.number >= extra) row.push_back(fill);
                     ++state.number;
                     out = make_list(runtime, std::move(row));
                     return true;
                   });
}

Value filter_groupby(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("groupby", args, {"attribute", "default", "case_sensitive"}, 1);
  const bool case_sensitive = bound.truth(runtime, 2, false);
  const Value otherwise = bound.get(1, Value());
  const std::vector<Value> items = collect(runtime, self);
  std::vector<Value> pairs, keys;
  for (const Value& item : items) {
    const Value real = get_path(runtime, item, *bound[0], &otherwise);
    const Value key = sort_key(runtime, real, case_sensitive);
    pairs.push_back(make_tuple(runtime, {key, real, item}));
    keys.push_back(key);
  }
  pairs = sorted(runtime.budget, pairs, keys, false);
  std::vector<Value> groups;
  for (size_t begin = 0; begin < pairs.size();) {
    const auto& first = pairs[begin].as_list().items;
    std::vector<Value> members;
    size_t end = begin;
    for (; end < pairs.size() && equal(runtime.budget, pairs[end].as_list().items[0], first[0]); ++end) {
      members.push_back(pairs[end].as_list().items[2]);
    }
    if (end == begin) {  // a key that does not equal itself
      members.push_back(first[2]);
      ++end;
    }
    const Value group = make_tuple(runtime, {first[1], make_list(runtime, std::move(members))});
    group.list_ref()->is_group = true;
    groups.push_back(group);
    begin = end;
  }
  return make_list(runtime, std::move(groups));
}

Value filter_map(Runtime& runtime, const Value& self, Args& args) {
  return generator(runtime, depth_with(self, args),
                   [&runtime, self, args, items = Ref<Generator>(), filter = Builtin(nullptr)](Value& out) mutable {
                     if (!items) {
                       if (!truth(runtime, self)) return false;
                       const bool by_path = args.positional.empty() && !args.named.empty();
                       if (by_path) {
                         Bound("map", args, {"attribute", "default"}, 1);
                       } else {
                         if (args.positional.empty()) fail("map requires a filter argument");
                         const Value name = args.positional.front();
                         args.positional.erase(args.positional.begin());
                         filter = name.is_text() ? find_filter(name.as_text()) : nullptr;
                         if (filter == nullptr) fail("No filter named {}.", repr(runtime, name));
                       }
                       items = iterate(runtime, self);
                     }
                     Value item;
                     if (!items->next(runtime, item)) return false;
                     if (filter != nullptr) {
                       Args copy = args;
                       out = filter(runtime, item, copy);
                       return true;
                     }
                     const Bound bound("map", args, {"attribute", "default"}, 1);
                     out = get_path(runtime, item, *bound[0], bound[1]);
                     return true;
                   });
}

Value select(Runtime& runtime, const Value& self, Args& args, bool keep, bool by_attribute) {
  struct State {
    Ref<Generator> items;
    Value path;
    Builtin test = nullptr;
  };
  return generator(runtime, depth_with(self, args),
                   [&runtime, self, args, keep, by_attribute, state = State()](Value& out) mutable {
                     if (!state.items) {
                       if (!truth(runtime, self)) return false;
                       auto& positional = args.positional;
                       if (by_attribute) {
                         if (positional.empty()) fail("Missing parameter for attribute name");
                         state.path = positional.front();
                         positional.erase(positional.begin());
                       }
                       if (!positional.empty()) {
                         const Value name = positional.front();
                         positional.erase(positional.begin());
                         state.test = name.is_text() ? find_test(name.as_text()) : nullptr;
                         if (state.test == nullptr) fail("No test named {}.", repr(runtime, name));
                       }
                       state.items = iterate(runtime, self);
                     }
                     while (state.items->next(runtime, out)) {
                       Value subject = by_attribute ? get_path(runtime, out, state.path) : out;
                       if (state.test != nullptr) {
                         Args copy = args;
                         subject = state.test(runtime, subject, copy);
                       }
                       if (truth(runtime, subject) == keep) return true;
                     }
                     return false;
                   });
}

Value filter_select(Runtime& runtime, const Value& self, Args& args) {
  return select(runtime, self, args, true, false);
}
Value filter_reject(Runtime& runtime, const Value& self, Args& args) {
  return select(runtime, self, args, false, false);
}
Value filter_selectattr(Runtime& runtime, const Value& self, Args& args) {
  return select(runtime, self, args, true, true);
}
Value filter_rejectattr(Runtime& runtime, const Value& self, Args& args) {
  return select(runtime, self, args, false, true);
}

constexpr BuiltinRow kFilters[] = {
    {"batch", filter_batch},
    {"count", filter_length},
    {"dictsort", filter_dictsort},
    {"first", filter_first},
    {"groupby", filter_groupby},
    {"items", filter_items},
    {"last", filter_last},
    {"length", filter_length},
    {"list", filter_list},
    {"map", filter_map},
    {"max", filter_max},
    {"min", filter_min},
    {"reject", filter_reject},
    {"rejectattr", filter_rejectattr},
    {"reverse", filter_reverse},
    {"select", filter_select},
    {"selectattr", filter_selectattr},
    {"slice", filter_slice},
    {"sort", filter_sort},
    {"sum", filter_sum},
    {"unique", filter_unique},
};

}  // namespace

Builtin find_sequence_filter(std::string_view name) { return find_builtin(kFilters, name); }

}  // namespace paro::text::jinja
