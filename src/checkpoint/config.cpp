#include "checkpoint/config.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/json_document.h"

namespace paro {

namespace json = boost::json;

namespace {

constexpr int64_t kMaxFileBytes = 16 << 20;

// A long value would bury the message that quotes it.
std::string_view shortened(std::string_view text) { return text.substr(0, 80); }

}  // namespace

struct Config::Node {
  std::shared_ptr<const json::value> document;  // shared by the nodes of one file, which point into it
  const json::object* object = nullptr;
  std::string file;
  std::string path;  // "text_config.rope_parameters", empty at the root

  // Null when the key is absent or its value is null.
  const json::value* find(std::string_view key) const {
    const json::value* value = object->if_contains(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  const json::value& at(std::string_view key, std::string_view expected, const std::string& where) const {
    if (const json::value* value = find(key)) return *value;
    throw Error(ErrorKind::config, "'{}' is {}, expected {}, in {}", shortened(key),
                object->contains(key) ? "null" : "absent", expected, where);
  }
};

namespace {

[[noreturn]] void throw_type(std::string_view key, std::string_view expected, const json::value& value,
                             const std::string& where) {
  throw Error(ErrorKind::config, "'{}' is {}, expected {}, in {}", shortened(key), kind_name(value), expected, where);
}

int64_t to_int(const json::value& value, std::string_view key, std::string_view expected, const std::string& where) {
  if (value.is_uint64() && !value.is_int64()) {
    throw Error(ErrorKind::config, "'{}' is {}, which exceeds 64 bits, in {}", shortened(key), value.get_uint64(),
                where);
  }
  if (!value.is_int64()) throw_type(key, expected, value, where);
  return value.get_int64();
}

std::string to_text(const json::value& value, std::string_view key, std::string_view expected,
                    const std::string& where) {
  if (!value.is_string()) throw_type(key, expected, value, where);
  return std::string(std::string_view(value.get_string()));
}

}  // namespace

Config::Config(std::shared_ptr<const Node> node, std::string where)
    : node_(std::move(node)), where_(std::move(where)) {}

Config Config::parse(std::string_view text, std::string where) {
  auto document = std::make_shared<const json::value>(parse_json(text, ErrorKind::config, where));
  if (!document->is_object()) {
    throw Error(ErrorKind::config, "{} holds {}, expected an object", where, kind_name(*document));
  }
  auto node = std::make_shared<const Node>(Node{document, &document->get_object(), where, ""});
  return Config(std::move(node), std::move(where));
}

Config Config::load(const std::filesystem::path& file) {
  return parse(read_text_file(file, kMaxFileBytes), file.string());
}

bool Config::has(std::string_view key) const { return node_->find(key) != nullptr; }

int64_t Config::get_int(std::string_view key) const {
  constexpr std::string_view expected = "an integer";
  return to_int(node_->at(key, expected, where_), key, expected, where_);
}

double Config::get_float(std::string_view key) const {
  constexpr std::string_view expected = "a number";
  const json::value& value = node_->at(key, expected, where_);
  if (!value.is_number()) throw_type(key, expected, value, where_);
  const double number = value.to_number<double>();
  if (!std::isfinite(number)) {
    throw Error(ErrorKind::config, "'{}' is not finite, expected a number, in {}", shortened(key), where_);
  }
  return number;
}

bool Config::get_bool(std::string_view key) const {
  constexpr std::string_view expected = "true or false";
  const json::value& value = node_->at(key, expected, where_);
  if (!value.is_bool()) throw_type(key, expected, value, where_);
  return value.get_bool();
}

std::string Config::get_string(std::string_view key) const {
  constexpr std::string_view expected = "a string";
  return to_text(node_->at(key, expected, where_), key, expected, where_);
}

std::vector<std::string> Config::get_strings(std::string_view key) const {
  constexpr std::string_view expected = "a list of strings";
  const json::value& value = node_->at(key, expected, where_);
  if (!value.is_array()) throw_type(key, expected, value, where_);
  std::vector<std::string> strings;
  for (const json::value& item : value.get_array()) {
    strings.push_back(to_text(item, fmt::format("{}[{}]", key, strings.size()), "a string", where_));
  }
  return strings;
}

std::vector<int64_t> Config::get_ints(std::string_view key) const {
  constexpr std::string_view expected = "an integer or a list of integers";
  const json::value& value = node_->at(key, expected, where_);
  if (!value.is_array()) return {to_int(value, key, expected, where_)};
  std::vector<int64_t> ints;
  for (const json::value& item : value.get_array()) {
    ints.push_back(to_int(item, fmt::format("{}[{}]", key, ints.size()), "an integer", where_));
  }
  return ints;
}

Config Config::get_object(std::string_view key) const {
  constexpr std::string_view expected = "an object";
  const json::value& value = node_->at(key, expected, where_);
  if (!value.is_object()) throw_type(key, expected, value, where_);
  std::string path = node_->path.empty() ? std::string(key) : fmt::format("{}.{}", node_->path, key);
  std::string where = fmt::format("{}: {}", node_->file, path);
  auto node = std::make_shared<const Node>(Node{node_->document, &value.get_object(), node_->file, std::move(path)});
  return Config(std::move(node), std::move(where));
}

int64_t Config::get_int(std::string_view key, int64_t absent) const { return has(key) ? get_int(key) : absent; }

double Config::get_float(std::string_view key, double absent) const { return has(key) ? get_float(key) : absent; }

bool Config::get_bool(std::string_view key, bool absent) const { return has(key) ? get_bool(key) : absent; }

std::string Config::get_string(std::string_view key, std::string_view absent) const {
  return has(key) ? get_string(key) : std::string(absent);
}

int64_t Config::get_int_in(std::string_view key, std::optional<int64_t> absent, int64_t low, int64_t high) const {
  const int64_t value = absent && !has(key) ? *absent : get_int(key);
  if (value < low || value > high) {
    throw Error(ErrorKind::config, "'{}' is {}, expected {} to {}, in {}", shortened(key), value, low, high, where_);
  }
  return value;
}

std::vector<std::string> Config::keys() const {
  std::vector<std::string> names;
  names.reserve(node_->object->size());
  for (const auto& pair : *node_->object) names.emplace_back(std::string_view(pair.key()));
  return names;
}

ModelConfig ModelConfig::load(const std::filesystem::path& directory) {
  const auto file = directory / "config.json";
  return parse(read_text_file(file, kMaxFileBytes), file.string());
}

ModelConfig ModelConfig::parse(std::string_view text, const std::string& where) {
  const Config root = Config::parse(text, where);
  const bool nested = root.has("text_config");
  const Config text_config = nested ? root.get_object("text_config") : root;
  const std::string model_type = (text_config.has("model_type") ? text_config : root).get_string("model_type");

  const Config& holder = root.has("quantization_config") ? root : text_config;
  if (!holder.has("quantization_config")) {
    throw Error(ErrorKind::config,
                "'quantization_config' is absent, expected quant_method 'paroquant' with 4 bits, in {}; "
                "only ParoQuant INT4 checkpoints are served",
                where);
  }
  const Config quantization = holder.get_object("quantization_config");
  if (const std::string method = quantization.get_string("quant_method"); method != "paroquant") {
    throw Error(ErrorKind::config,
                "'quant_method' is '{}', expected 'paroquant', in {}; only ParoQuant INT4 checkpoints are served",
                shortened(method), quantization.where());
  }
  if (const int64_t bits = quantization.get_int("bits"); bits != 4) {
    throw Error(ErrorKind::config, "'bits' is {}, expected 4, in {}; only ParoQuant INT4 checkpoints are served", bits,
                quantization.where());
  }
  const int64_t group_size = quantization.get_int("group_size");
  if (group_size != 64 && group_size != 128) {
    throw Error(ErrorKind::config, "'group_size' is {}, expected 64 or 128, in {}", group_size, quantization.where());
  }
  const int64_t krot = quantization.get_int_in("krot", 8, 1, 16);
  return {root, text_config, nested, model_type, int(group_size), int(krot)};
}

}  // namespace paro
