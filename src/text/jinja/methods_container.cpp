// The methods of list, tuple and dict that read; those that change do not exist in the immutable sandbox.
#include "text/jinja/objects.h"
#include "text/jinja/operations.h"

namespace paro::text::jinja {
namespace {

Value list_count(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("count", args, {"value"}, 1);
  int64_t n = 0;
  for (const Value& item : self.as_list().items) n += equal(runtime.budget, item, *bound[0]) ? 1 : 0;
  return Value::integer(n);
}

Value list_index(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("index", args, {"value", "start", "stop"}, 1);
  const auto& items = self.as_list().items;
  const int64_t n = int64_t(items.size());
  const auto place = [&](size_t i, int64_t otherwise) {
    const int64_t at = bound.integer(i, otherwise);
    return at < 0 ? std::max<int64_t>(at + n, 0) : at;
  };
  const int64_t stop = std::min(place(2, n), n);
  for (int64_t i = place(1, 0); i < stop; ++i) {
    if (equal(runtime.budget, items[size_t(i)], *bound[0])) return Value::integer(i);
  }
  fail("{}.index(x): x is not in it", type_name(self));
}

Value list_copy(Runtime&, const Value& self, Args& args) {
  Bound("copy", args, {});
  return self;
}

template <DictView::Part kPart>
Value dict_view(Runtime& runtime, const Value& self, Args& args) {
  Bound("dict method", args, {});
  runtime.budget.bytes(sizeof(DictView));
  return Value::object(make_ref<DictView>(self.dict_ref(), kPart));
}

Value dict_get(Runtime& runtime, const Value& self, Args& args) {
  if (!args.named.empty()) fail("dict.get() takes no keyword arguments");
  const Bound bound("get", args, {"key", "default"}, 1);
  const Value* found = self.as_dict().find(runtime.budget, *bound[0]);
  return found != nullptr ? *found : bound.get(1, Value());
}

Value dict_copy(Runtime&, const Value& self, Args& args) {
  Bound("copy", args, {});
  return self;
}

}  // namespace

Builtin find_list_method(std::string_view name, bool is_tuple) {
  if (name == "count") return list_count;
  if (name == "index") return list_index;
  if (name == "copy" && !is_tuple) return list_copy;
  return nullptr;
}

Builtin find_dict_method(std::string_view name) {
  if (name == "get") return dict_get;
  if (name == "items") return dict_view<DictView::Part::items>;
  if (name == "keys") return dict_view<DictView::Part::keys>;
  if (name == "values") return dict_view<DictView::Part::values>;
  if (name == "copy") return dict_copy;
  return nullptr;
}

}  // namespace paro::text::jinja
