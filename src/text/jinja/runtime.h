// What one rendering carries to every filter, test, method and function: its budget, its clock and the place it is at.
#pragma once

#include <ctime>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "text/jinja/value.h"

namespace paro::text::jinja {

class Namespace;

class Runtime {
 public:
  Runtime(const Limits& limits, std::optional<std::time_t> now_) : budget(limits), now(now_) {}
  ~Runtime();

  // Namespaces can refer to each other in circles; they are emptied when the rendering ends.
  void adopt(const Ref<Namespace>& space) { namespaces_.push_back(space); }

  Budget budget;
  std::optional<std::time_t> now;  // seconds since 1970; the machine's clock when absent
  int line = 1;

 private:
  std::vector<Ref<Namespace>> namespaces_;
};

// namespace(): the one value that templates can change.
class Namespace : public Object {
 public:
  const char* type_name() const override { return "Namespace"; }
  std::optional<Value> attribute(Runtime&, std::string_view name) override;
  void repr(Runtime& runtime, Text& out) override;
  void set(Runtime& runtime, std::string_view name, Value value);
  void clear() { entries_.clear(); }

 private:
  std::vector<std::pair<std::string, Value>> entries_;
};

// A function of the library: a filter, a test, a method or a global. `self` is the value before the | or the dot.
using Builtin = Value (*)(Runtime& runtime, const Value& self, Args& args);

struct BuiltinRow {
  std::string_view name;
  Builtin function;
};

class Function : public Object {
 public:
  Function(const char* kind, std::string_view name, Builtin function, Value self)
      : kind_(kind), name_(name), function_(function), self_(std::move(self)) {}
  const char* type_name() const override { return kind_; }
  bool callable() const override { return true; }
  Value call(Runtime& runtime, Args& args) override { return function_(runtime, self_, args); }
  void repr(Runtime& runtime, Text& out) override;
  int depth() const override { return depth_of(self_); }

 private:
  const char* kind_;
  std::string name_;
  Builtin function_;
  Value self_;
};

// The arguments of a call in the order of the named parameters; null where not given. Fails on any that has no place.
class Bound {
 public:
  Bound(std::string_view function, Args& args, std::initializer_list<std::string_view> names, size_t required = 0);
  const Value* operator[](size_t i) const { return given_[i]; }
  Value get(size_t i, Value otherwise) const { return given_[i] != nullptr ? *given_[i] : otherwise; }
  int64_t integer(size_t i, int64_t otherwise) const;
  bool truth(Runtime& runtime, size_t i, bool otherwise) const;

 private:
  std::string_view function_;
  std::vector<const Value*> given_;
};

// Of a table in the order of its names; nullptr: it has no such name.
Builtin find_builtin(std::span<const BuiltinRow> table, std::string_view name);

Builtin find_filter(std::string_view name);
Builtin find_test(std::string_view name);
Builtin find_global(std::string_view name);
Builtin find_text_method(std::string_view name);
Builtin find_list_method(std::string_view name, bool is_tuple);
Builtin find_dict_method(std::string_view name);

}  // namespace paro::text::jinja
