#include "text/jinja/objects.h"

#include <algorithm>

#include "text/jinja/format.h"

namespace paro::text::jinja {
namespace {

// The sandbox of jinja2 refuses longer ranges.
constexpr int64_t kMaxRange = 100000;

Value cycler_next(Runtime&, const Value& self, Args&) { return self.object_as<Cycler>()->next(); }

Value cycler_reset(Runtime&, const Value& self, Args&) {
  self.object_as<Cycler>()->reset();
  return Value();
}

}  // namespace

Range::Range(int64_t start, int64_t stop, int64_t step) : start_(start), stop_(stop), step_(step) {
  if (step == 0) fail("range() arg 3 must not be zero");
  const bool empty = step > 0 ? start >= stop : start <= stop;
  const uint64_t span = empty ? 0 : step > 0 ? uint64_t(stop) - uint64_t(start) : uint64_t(start) - uint64_t(stop);
  const uint64_t stride = step > 0 ? uint64_t(step) : uint64_t(0) - uint64_t(step);
  const uint64_t size = span == 0 ? 0 : (span - 1) / stride + 1;
  if (size > uint64_t(kMaxRange)) fail("range() is longer than {} items", kMaxRange);
  size_ = int64_t(size);
}

Ref<Generator> Range::iterate(Runtime& runtime) {
  return make_generator(runtime, 0, [self = Ref<Range>(this), i = int64_t(0)](Value& out) mutable {
    if (i >= self->size_) return false;
    out = Value::integer(self->at(i++));
    return true;
  });
}

std::optional<Value> Range::item(Runtime&, int64_t index) {
  if (index < 0) index += size_;
  if (index < 0 || index >= size_) return std::nullopt;
  return Value::integer(at(index));
}

void Range::repr(Runtime&, Text& out) {
  out.add(step_ == 1 ? fmt::format("range({}, {})", start_, stop_)
                     : fmt::format("range({}, {}, {})", start_, stop_, step_));
}

bool Range::same_items(const Range& other) const {
  if (size_ != other.size_) return false;
  return size_ == 0 || (start_ == other.start_ && (size_ == 1 || step_ == other.step_));
}

const char* DictView::type_name() const {
  return part_ == Part::keys ? "dict_keys" : part_ == Part::values ? "dict_values" : "dict_items";
}

Value DictView::at(Runtime& runtime, size_t i) const {
  const auto& [key, value] = dict_->entries()[i];
  if (part_ == Part::keys) return key;
  if (part_ == Part::values) return value;
  return make_tuple(runtime, {key, value});
}

Ref<Generator> DictView::iterate(Runtime& runtime) {
  return make_generator(runtime, depth(), [&runtime, self = Ref<DictView>(this), i = size_t(0)](Value& out) mutable {
    if (int64_t(i) >= self->dict_->size()) return false;
    out = self->at(runtime, i++);
    return true;
  });
}

void DictView::repr(Runtime& runtime, Text& out) {
  out.add(type_name());
  out.add("([");
  for (size_t i = 0; int64_t(i) < dict_->size(); ++i) {
    if (i > 0) out.add(", ");
    jinja::repr(runtime, at(runtime, i), out);
  }
  out.add("])");
}

std::optional<Value> Cycler::attribute(Runtime&, std::string_view name) {
  const Value self = Value::object(Ref<Cycler>(this));
  if (name == "next") return Value::object(make_ref<Function>("method", "next", cycler_next, self));
  if (name == "reset") return Value::object(make_ref<Function>("method", "reset", cycler_reset, self));
  if (name == "current") return items_[at_];
  if (name == "pos") return Value::integer(int64_t(at_));
  return std::nullopt;
}

int Cycler::depth() const {
  int depth = 0;
  for (const Value& item : items_) depth = std::max(depth, depth_of(item));
  return depth;
}

Value Cycler::next() {
  Value item = items_[at_];
  at_ = (at_ + 1) % items_.size();
  return item;
}

Value Joiner::call(Runtime&, Args& args) {
  Bound("joiner", args, {});
  if (used_) return separator_;
  used_ = true;
  return Value::constant("");
}

}  // namespace paro::text::jinja
