// The small objects of the library: ranges, views of a dict, cyclers and joiners.
#pragma once

#include <string>
#include <vector>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace paro::text::jinja {

class Range : public Object {
 public:
  Range(int64_t start, int64_t stop, int64_t step);
  const char* type_name() const override { return "range"; }
  bool truth(Runtime&) override { return size_ > 0; }
  Ref<Generator> iterate(Runtime& runtime) override;
  std::optional<int64_t> length(Runtime&) override { return size_; }
  bool indexable() const override { return true; }
  std::optional<Value> item(Runtime&, int64_t index) override;
  void repr(Runtime& runtime, Text& out) override;
  bool same_items(const Range& other) const;
  int64_t size() const { return size_; }
  int64_t at(int64_t index) const { return start_ + index * step_; }
  int64_t step() const { return step_; }

 private:
  int64_t start_, stop_, step_, size_;
};

class DictView : public Object {
 public:
  enum class Part { keys, values, items };
  DictView(Ref<Dict> dict, Part part) : dict_(std::move(dict)), part_(part) {}
  const char* type_name() const override;
  bool truth(Runtime&) override { return dict_->size() > 0; }
  Ref<Generator> iterate(Runtime& runtime) override;
  std::optional<int64_t> length(Runtime&) override { return dict_->size(); }
  void repr(Runtime& runtime, Text& out) override;
  int depth() const override { return dict_->depth() + 1; }
  Value at(Runtime& runtime, size_t i) const;

 private:
  Ref<Dict> dict_;
  Part part_;
};

class Cycler : public Object {
 public:
  explicit Cycler(std::vector<Value> items) : items_(std::move(items)) {}
  const char* type_name() const override { return "Cycler"; }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  int depth() const override;
  Value next();
  void reset() { at_ = 0; }

 private:
  std::vector<Value> items_;
  size_t at_ = 0;
};

class Joiner : public Object {
 public:
  explicit Joiner(Value separator) : separator_(std::move(separator)) {}
  const char* type_name() const override { return "Joiner"; }
  bool callable() const override { return true; }
  Value call(Runtime& runtime, Args& args) override;
  int depth() const override { return depth_of(separator_); }

 private:
  Value separator_;
  bool used_ = false;
};

}  // namespace paro::text::jinja
