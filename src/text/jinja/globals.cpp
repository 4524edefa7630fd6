// The functions that every template can call.
#include <ctime>

#include "text/jinja/format.h"
#include "text/jinja/objects.h"
#include "text/jinja/operations.h"

namespace paro::text::jinja {
namespace {

// A date takes less; a format can ask for any width.
constexpr size_t kMaxDateBytes = 4096;

Value global_range(Runtime& runtime, const Value&, Args& args) {
  const Bound bound("range", args, {"/start", "/stop", "/step"}, 1);
  runtime.budget.bytes(sizeof(Range));
  if (bound[1] == nullptr) return Value::object(make_ref<Range>(0, bound.integer(0, 0), 1));
  return Value::object(make_ref<Range>(bound.integer(0, 0), bound.integer(1, 0), bound.integer(2, 1)));
}

Ref<Dict> build_dict(Runtime& runtime, Args& args, std::string_view name) {
  if (args.positional.size() > 1) fail("{} expected at most 1 argument, got {}", name, args.positional.size());
  const Ref<Dict> dict = make_ref<Dict>();
  if (!args.positional.empty()) {
    const Value& source = args.positional[0];
    if (source.is_dict()) {
      for (const auto& [key, value] : source.as_dict().entries()) dict->set(runtime.budget, key, value);
    } else {
      const Ref<Generator> items = iterate(runtime, source);
      for (Value item; items->next(runtime, item);) {
        const std::vector<Value> pair = collect(runtime, item);
        if (pair.size() != 2) fail("{}: expected pairs, got a sequence of length {}", name, pair.size());
        dict->set(runtime.budget, pair[0], pair[1]);
      }
    }
  }
  for (const auto& [key, value] : args.named) dict->set(runtime.budget, make_text(runtime, key), value);
  return dict;
}

Value global_dict(Runtime& runtime, const Value&, Args& args) { return Value::dict(build_dict(runtime, args, "dict")); }

Value global_namespace(Runtime& runtime, const Value&, Args& args) {
  const Ref<Dict> dict = build_dict(runtime, args, "namespace");
  runtime.budget.bytes(sizeof(Namespace));
  const Ref<Namespace> space = make_ref<Namespace>();
  runtime.adopt(space);
  for (const auto& [key, value] : dict->entries()) {
    if (key.is_text()) space->set(runtime, key.as_text(), value);
  }
  return Value::object(space);
}

Value global_cycler(Runtime& runtime, const Value&, Args& args) {
  if (!args.named.empty()) fail("cycler() got an unexpected keyword argument '{}'", args.named[0].first);
  if (args.positional.empty()) fail("at least one item has to be provided");
  return Value::object(make_ref<Cycler>(make_list(runtime, args.positional).as_list().items));
}

Value global_joiner(Runtime& runtime, const Value&, Args& args) {
  const Bound bound("joiner", args, {"sep"});
  runtime.budget.bytes(sizeof(Joiner));
  return Value::object(make_ref<Joiner>(bound.get(0, Value::constant(", "))));
}

Value global_raise_exception(Runtime& runtime, const Value&, Args& args) {
  throw Raised(to_text(runtime, *Bound("raise_exception", args, {"message"}, 1)[0]));
}

Value global_strftime_now(Runtime& runtime, const Value&, Args& args) {
  const Bound bound("strftime_now", args, {"format"}, 1);
  if (!bound[0]->is_text()) fail("strftime() argument 1 must be str, not {}", type_name(*bound[0]));
  std::string format;
  // A naive datetime has microseconds and no zone; the C library knows neither.
  const std::string& given = bound[0]->as_text();
  for (size_t i = 0; i < given.size(); ++i) {
    if (given[i] != '%' || i + 1 == given.size()) {
      format.push_back(given[i]);
      continue;
    }
    const char c = given[++i];
    if (c == 'f') {
      format += "000000";
    } else if (c != 'z' && c != 'Z') {
      format.push_back('%');
      format.push_back(c);
    }
  }
  if (format.empty()) return Value::constant("");
  const std::time_t now = runtime.now ? *runtime.now : std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  std::string out(kMaxDateBytes, '\0');
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  const size_t n = std::strftime(out.data(), out.size(), format.c_str(), &parts);
#pragma GCC diagnostic pop
  if (n == 0) fail("strftime_now: the format gives no text or more than {} bytes", kMaxDateBytes);
  out.resize(n);
  return make_text(runtime, std::move(out));
}

constexpr BuiltinRow kGlobals[] = {
    {"cycler", global_cycler},
    {"dict", global_dict},
    {"joiner", global_joiner},
    {"namespace", global_namespace},
    {"raise_exception", global_raise_exception},
    {"range", global_range},
    {"strftime_now", global_strftime_now},
};

}  // namespace

Builtin find_global(std::string_view name) { return find_builtin(kGlobals, name); }

}  // namespace paro::text::jinja
