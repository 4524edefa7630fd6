// Python's operations on values: truth, comparison, arithmetic, membership, length, iteration, lookup and slicing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace paro::text::jinja {

enum class BinaryOp { add, subtract, multiply, divide, floor_divide, modulo, power };
enum class CompareOp { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };

[[noreturn]] void fail_undefined(const Value& value);

bool truth(Runtime& runtime, const Value& value);
bool equal(Budget& budget, const Value& a, const Value& b);
bool less(Budget& budget, const Value& a, const Value& b, const char* op = "<");
size_t hash_of(Budget& budget, const Value& value);  // fails on what Python cannot hash
bool contains(Runtime& runtime, const Value& container, const Value& item);
bool compare(Runtime& runtime, CompareOp op, const Value& a, const Value& b);
bool is_same(const Value& a, const Value& b);  // Python's `is`

Value binary(Runtime& runtime, BinaryOp op, const Value& a, const Value& b);
Value negative(const Value& value);
Value positive(const Value& value);
Value absolute(const Value& value);

std::optional<int64_t> try_length(Runtime& runtime, const Value& value);
int64_t length(Runtime& runtime, const Value& value);
bool is_iterable(Runtime& runtime, const Value& value);
Ref<Generator> iterate(Runtime& runtime, const Value& value);
std::vector<Value> collect(Runtime& runtime, const Value& value);
std::vector<Value> sorted(Budget& budget, const std::vector<Value>& items, const std::vector<Value>& keys,
                          bool reverse);

// value.name and value[key] of the sandbox: each falls back to the other, then to undefined.
Value get_attribute(Runtime& runtime, const Value& value, const std::string& name);
Value get_item(Runtime& runtime, const Value& value, const Value& key);
std::optional<Value> find_attribute(Runtime& runtime, const Value& value, std::string_view name);
Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop, const Value& step);

// text.replace(from, to, limit); all occurrences when limit is negative.
std::string replaced(Budget& budget, std::string_view text, std::string_view from, std::string_view to, int64_t limit);

// A path such as "function.name" or 0, each part looked up as an item.
Value get_path(Runtime& runtime, Value value, const Value& path, const Value* otherwise = nullptr);

}  // namespace paro::text::jinja
