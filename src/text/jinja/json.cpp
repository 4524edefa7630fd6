// JSON in and out: the context of a rendering, and json.dumps for |tojson.
#include <cmath>

#include "text/jinja/format.h"
#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

void write_string(std::string_view text, bool ascii, Text& out) {
  out.add('"');
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    // What needs no escape goes out in one piece.
    while (at < text.size() && static_cast<unsigned char>(text[at]) >= 0x20 && text[at] != '"' && text[at] != '\\' &&
           (!ascii || static_cast<unsigned char>(text[at]) < 0x7F)) {
      ++at;
    }
    out.add(text.substr(begin, at - begin));
    if (at >= text.size()) break;
    const char32_t c = decode_at(text, at);
    switch (c) {
      case '"':
        out.add("\\\"");
        break;
      case '\\':
        out.add("\\\\");
        break;
      case '\n':
        out.add("\\n");
        break;
      case '\r':
        out.add("\\r");
        break;
      case '\t':
        out.add("\\t");
        break;
      case '\b':
        out.add("\\b");
        break;
      case '\f':
        out.add("\\f");
        break;
      default:
        if (c < 0x10000) {
          out.add(fmt::format("\\u{:04x}", uint32_t(c)));
        } else {
          const uint32_t v = uint32_t(c) - 0x10000;
          out.add(fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (v >> 10), 0xDC00 + (v & 0x3FF)));
        }
    }
  }
  out.add('"');
}

std::string json_float(double d) {
  if (std::isnan(d)) return "NaN";
  if (std::isinf(d)) return d > 0 ? "Infinity" : "-Infinity";
  return float_repr(d);
}

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const JsonStyle& style, Text& out) : runtime_(runtime), style_(style), out_(out) {}

  void write(const Value& value, int level) {
    runtime_.budget.step();
    const Budget::Level nested(runtime_.budget);
    if (value.is_text()) {
      write_string(value.as_text(), style_.ascii, out_);
    } else if (value.is_list()) {
      write_list(value.as_list(), level);
    } else if (value.is_dict()) {
      write_dict(value.as_dict(), level);
    } else if (value.is_none()) {
      out_.add("null");
    } else if (value.is_bool()) {
      out_.add(value.as_bool() ? "true" : "false");
    } else if (value.is_float()) {
      out_.add(json_float(value.as_float()));
    } else if (value.is_int()) {
      repr(runtime_, value, out_);
    } else {
      fail("Object of type {} is not JSON serializable", type_name(value));
    }
  }

 private:
  void new_line(int level) {
    if (!style_.indent) return;
    out_.add('\n');
    for (int i = 0; i < level; ++i) out_.add(*style_.indent);
  }

  void write_list(const List& list, int level) {
    if (list.items.empty()) return out_.add("[]");
    out_.add('[');
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_.add(style_.item_separator);
      new_line(level + 1);
      write(list.items[i], level + 1);
    }
    new_line(level);
    out_.add(']');
  }

  void write_dict(const Dict& dict, int level) {
    if (dict.size() == 0) return out_.add("{}");
    std::vector<Value> order;
    runtime_.budget.product(dict.size(), sizeof(Value));
    for (const auto& entry : dict.entries()) order.push_back(entry.first);
    if (style_.sort_keys) order = sorted(runtime_.budget, order, order, false);
    out_.add('{');
    for (size_t i = 0; i < order.size(); ++i) {
      if (i > 0) out_.add(style_.item_separator);
      new_line(level + 1);
      write_string(key_text(order[i]), style_.ascii, out_);
      out_.add(style_.key_separator);
      write(*dict.find(runtime_.budget, order[i]), level + 1);
    }
    new_line(level);
    out_.add('}');
  }

  std::string key_text(const Value& key) {
    if (key.is_text()) return key.as_text();
    if (key.is_none()) return "null";
    if (key.is_bool()) return key.as_bool() ? "true" : "false";
    if (key.is_float()) return json_float(key.as_float());
    if (key.is_int()) return repr(runtime_, key);
    fail("keys must be str, int, float, bool or None, not {}", type_name(key));
  }

  Runtime& runtime_;
  const JsonStyle& style_;
  Text& out_;
};

std::string checked_text(std::string_view text) { return valid_utf8(text) ? std::string(text) : repaired_utf8(text); }

}  // namespace

void write_json(Runtime& runtime, const Value& value, const JsonStyle& style, Text& out) {
  JsonWriter(runtime, style, out).write(value, 0);
}

Value from_json(Runtime& runtime, const boost::json::value& json) {
  const Budget::Level level(runtime.budget);
  runtime.budget.step();
  switch (json.kind()) {
    case boost::json::kind::null:
      return Value();
    case boost::json::kind::bool_:
      return Value::boolean(json.get_bool());
    case boost::json::kind::int64:
      return Value::integer(json.get_int64());
    case boost::json::kind::uint64: {
      const uint64_t u = json.get_uint64();
      return u <= uint64_t(INT64_MAX) ? Value::integer(int64_t(u)) : Value::wide(u);
    }
    case boost::json::kind::double_:
      return Value::real(json.get_double());
    case boost::json::kind::string: {
      const auto& text = json.get_string();
      return make_text(runtime, checked_text(std::string_view(text.data(), text.size())));
    }
    case boost::json::kind::array: {
      std::vector<Value> items;
      items.reserve(json.get_array().size());
      for (const auto& item : json.get_array()) items.push_back(from_json(runtime, item));
      return make_list(runtime, std::move(items));
    }
    case boost::json::kind::object: {
      const Ref<Dict> dict = make_ref<Dict>();
      for (const auto& entry : json.get_object()) {
        const auto key = entry.key();
        dict->set(runtime.budget, make_text(runtime, checked_text(std::string_view(key.data(), key.size()))),
                  from_json(runtime, entry.value()));
      }
      return Value::dict(dict);
    }
  }
  return Value();
}

}  // namespace paro::text::jinja
