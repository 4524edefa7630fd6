#include "text/jinja/runtime.h"

#include <algorithm>

#include "text/jinja/format.h"
#include "text/jinja/operations.h"

namespace paro::text::jinja {

Runtime::~Runtime() {
  for (const auto& space : namespaces_) space->clear();
}

std::optional<Value> Namespace::attribute(Runtime& runtime, std::string_view name) {
  runtime.budget.step(int64_t(entries_.size() / 16));
  for (const auto& [key, value] : entries_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

void Namespace::set(Runtime& runtime, std::string_view name, Value value) {
  for (auto& [key, old] : entries_) {
    runtime.budget.step();
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  runtime.budget.bytes(int64_t(sizeof(Value) + sizeof(std::string) + name.size()));
  entries_.emplace_back(std::string(name), std::move(value));
}

void Namespace::repr(Runtime& runtime, Text& out) {
  out.add("<Namespace {");
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (i > 0) out.add(", ");
    jinja::repr(runtime, make_text(runtime, entries_[i].first), out);
    out.add(": ");
    jinja::repr(runtime, entries_[i].second, out);
  }
  out.add("}>");
}

void Function::repr(Runtime&, Text& out) { out.add(fmt::format("<{} {}>", kind_, name_)); }

Bound::Bound(std::string_view function, Args& args, std::initializer_list<std::string_view> names, size_t required)
    : function_(function), given_(names.size(), nullptr) {
  if (args.positional.size() > names.size()) {
    fail("{}() takes at most {} arguments ({} given)", function, names.size(), args.positional.size());
  }
  for (size_t i = 0; i < args.positional.size(); ++i) given_[i] = &args.positional[i];
  for (const auto& [name, value] : args.named) {
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) fail("{}() got an unexpected keyword argument '{}'", function, name);
    const Value*& place = given_[size_t(at - names.begin())];
    if (place != nullptr) fail("{}() got multiple values for argument '{}'", function, name);
    place = &value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (given_[i] == nullptr) fail("{}() missing required argument: '{}'", function, names.begin()[i]);
  }
}

int64_t Bound::integer(size_t i, int64_t otherwise) const {
  if (given_[i] == nullptr) return otherwise;
  if (given_[i]->is_undefined()) fail_undefined(*given_[i]);
  if (const auto value = given_[i]->index()) return *value;
  fail("{}(): '{}' object cannot be interpreted as an integer", function_, type_name(*given_[i]));
}

bool Bound::truth(Runtime& runtime, size_t i, bool otherwise) const {
  return given_[i] == nullptr ? otherwise : jinja::truth(runtime, *given_[i]);
}

Builtin find_builtin(std::span<const BuiltinRow> table, std::string_view name) {
  const auto row = std::lower_bound(table.begin(), table.end(), name,
                                    [](const BuiltinRow& a, std::string_view b) { return a.name < b; });
  return row != table.end() && row->name == name ? row->function : nullptr;
}

}  // namespace paro::text::jinja
