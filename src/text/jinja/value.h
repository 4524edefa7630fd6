// The values of a template: Python's, as far as templates see them. Strings, lists and dicts never change once built,
// so copies of a Value share them by reference count; the count is atomic because the constants of a parsed template
// are shared by the threads that render it. What can change (Object) belongs to one rendering.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/limits.h"

namespace paro::text::jinja {

class Runtime;
class Value;
struct Args;
class Generator;

class Counted {
 public:
  Counted() = default;
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  virtual ~Counted() = default;
  void retain() const { count_.fetch_add(1, std::memory_order_relaxed); }
  void release() const {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  mutable std::atomic<int64_t> count_{0};
};

template <typename T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) { retain(); }
  Ref(const Ref& other) : object_(other.object_) { retain(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <typename U>
  Ref(const Ref<U>& other) : object_(other.get()) {
    retain();
  }
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->release();
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  void retain() const {
    if (object_ != nullptr) object_->retain();
  }
  T* object_ = nullptr;
};

template <typename T, typename... A>
Ref<T> make_ref(A&&... arguments) {
  return Ref<T>(new T(std::forward<A>(arguments)...));
}

struct Str : Counted {
  Str(std::string text_, bool markup_);
  const std::string text;
  const int64_t length;  // in code points
  const bool markup;     // came through |safe or |escape: other strings are escaped when joined to it
  bool ascii() const { return length == int64_t(text.size()); }
};

class List;
class Dict;
class Object;

struct Missing {};  // a variable that was not set; reading it gives Undefined
struct None {};
struct Undefined {
  const std::string* name = nullptr;  // of the template's syntax tree, which outlives the rendering
  const char* owner = nullptr;        // type of the value that lacks the attribute, or null for a variable
};
struct Wide {
  uint64_t value;  // an integer of JSON above INT64_MAX; arithmetic takes it for too large
};

class Value {
 public:
  using Variant =
      std::variant<Missing, Undefined, None, bool, int64_t, Wide, double, Ref<Str>, Ref<List>, Ref<Dict>, Ref<Object>>;

  Value() : v_(None{}) {}
  static Value missing() { return Value(Variant(Missing{})); }
  static Value undefined(const std::string* name = nullptr, const char* owner = nullptr) {
    return Value(Variant(Undefined{name, owner}));
  }
  static Value boolean(bool b) { return Value(Variant(b)); }
  static Value integer(int64_t i) { return Value(Variant(i)); }
  static Value wide(uint64_t u) { return Value(Variant(Wide{u})); }
  static Value real(double d) { return Value(Variant(d)); }
  static Value list(Ref<List> l) { return Value(Variant(std::move(l))); }
  static Value dict(Ref<Dict> d) { return Value(Variant(std::move(d))); }
  template <typename T>
  static Value object(const Ref<T>& o) {
    return Value(Variant(Ref<Object>(o)));
  }
  // Not charged to a budget: for the constants of a template.
  static Value constant(std::string text) { return Value(Variant(make_ref<Str>(std::move(text), false))); }
  static Value text(Ref<Str> s) { return Value(Variant(std::move(s))); }

  bool is_missing() const { return std::holds_alternative<Missing>(v_); }
  bool is_undefined() const { return std::holds_alternative<Undefined>(v_); }
  bool is_none() const { return std::holds_alternative<None>(v_); }
  bool is_bool() const { return std::holds_alternative<bool>(v_); }
  bool is_int() const { return std::holds_alternative<int64_t>(v_) || std::holds_alternative<Wide>(v_); }
  bool is_wide() const { return std::holds_alternative<Wide>(v_); }
  bool is_float() const { return std::holds_alternative<double>(v_); }
  bool is_number() const { return is_bool() || is_int() || is_float(); }
  bool is_text() const { return std::holds_alternative<Ref<Str>>(v_); }
  bool is_list() const { return std::holds_alternative<Ref<List>>(v_); }  // or a tuple
  bool is_dict() const { return std::holds_alternative<Ref<Dict>>(v_); }
  bool is_object() const { return std::holds_alternative<Ref<Object>>(v_); }

  bool as_bool() const { return std::get<bool>(v_); }
  uint64_t as_wide() const { return std::get<Wide>(v_).value; }
  double as_float() const { return std::get<double>(v_); }
  const Str& as_str() const { return *std::get<Ref<Str>>(v_); }
  const std::string& as_text() const { return as_str().text; }
  const List& as_list() const { return *std::get<Ref<List>>(v_); }
  const Ref<List>& list_ref() const { return std::get<Ref<List>>(v_); }
  const Dict& as_dict() const { return *std::get<Ref<Dict>>(v_); }
  const Ref<Dict>& dict_ref() const { return std::get<Ref<Dict>>(v_); }
  Object& as_object() const { return *std::get<Ref<Object>>(v_); }
  const Undefined& as_undefined() const { return std::get<Undefined>(v_); }
  template <typename T>
  T* object_as() const {
    return is_object() ? dynamic_cast<T*>(&as_object()) : nullptr;
  }

  // An int64 or a bool, which is an int too.
  std::optional<int64_t> index() const {
    if (std::holds_alternative<int64_t>(v_)) return std::get<int64_t>(v_);
    if (is_bool()) return as_bool() ? 1 : 0;
    return std::nullopt;
  }
  double number() const;  // of any number

  const Variant& variant() const { return v_; }

 private:
  explicit Value(Variant v) : v_(std::move(v)) {}
  Variant v_;
};

// A list or a tuple. `depth` counts the nesting of containers, so that no chain of values is deeper than the stack.
class List : public Counted {
 public:
  List(std::vector<Value> items_, bool is_tuple_, int depth_)
      : items(std::move(items_)), is_tuple(is_tuple_), depth(depth_) {}
  const std::vector<Value> items;
  const bool is_tuple;
  const int depth;
  bool is_group = false;  // a row of groupby: .grouper and .list
};

// In order of insertion; keys that are equal in Python (1, 1.0, True) are one key.
class Dict : public Counted {
 public:
  const std::vector<std::pair<Value, Value>>& entries() const { return entries_; }
  int depth() const { return depth_; }
  int64_t size() const { return int64_t(entries_.size()); }
  const Value* find(Budget& budget, const Value& key) const;
  const Value* find(std::string_view key) const;
  void set(Budget& budget, const Value& key, Value value);

 private:
  std::vector<std::pair<Value, Value>> entries_;
  std::unordered_multimap<size_t, uint32_t> rows_;  // hash of the key -> entry
  int depth_ = 1;
};

struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// Everything else: functions, methods, macros, loops, namespaces, generators, ranges, dict views.
class Object : public Counted {
 public:
  virtual const char* type_name() const = 0;
  virtual bool truth(Runtime&) { return true; }
  virtual std::optional<Value> attribute(Runtime&, std::string_view) { return std::nullopt; }
  virtual bool callable() const { return false; }
  virtual Value call(Runtime& runtime, Args& args);
  virtual Ref<Generator> iterate(Runtime&) { return {}; }  // null: cannot be iterated
  virtual std::optional<int64_t> length(Runtime&) { return std::nullopt; }
  virtual bool indexable() const { return false; }
  virtual std::optional<Value> item(Runtime&, int64_t) { return std::nullopt; }
  virtual void repr(Runtime& runtime, Text& out);
  virtual int depth() const { return 0; }  // of the values it holds
};

// A Python iterator: gives each item once.
class Generator : public Object {
 public:
  using Next = std::function<bool(Value&)>;  // false at the end
  Generator(Next next, int depth) : next_(std::move(next)), depth_(depth) {}
  const char* type_name() const override { return "generator"; }
  Ref<Generator> iterate(Runtime&) override { return Ref<Generator>(this); }
  bool next(Runtime& runtime, Value& out);
  int depth() const override { return depth_; }

 private:
  Next next_;
  int depth_;
};

const char* type_name(const Value& value);  // as Python calls it
int depth_of(const Value& value);

// Containers built by a template, charged to its budget. Nesting beyond kMaxValueDepth fails.
inline constexpr int kMaxValueDepth = 200;
Value make_text(Runtime& runtime, std::string text, bool markup = false);
Value make_list(Runtime& runtime, std::vector<Value> items);
Value make_tuple(Runtime& runtime, std::vector<Value> items);
Ref<Generator> make_generator(Runtime& runtime, int source_depth, Generator::Next next);

}  // namespace paro::text::jinja
