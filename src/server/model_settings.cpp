#include "server/model_settings.h"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <limits>

#include "base/error.h"

namespace paro::server {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 3> kForPeople = {"version", "description", "active_profile_name"};

class Reader {
 public:
  Reader(const json::object& settings, std::string_view where) : settings_(settings), where_(where) {}

  void read(std::string_view key, double least, double most, std::optional<float>& setting) {
    const json::value* value = find(key);
    if (value == nullptr) return;
    const double number = value->is_number() ? value->to_number<double>() : std::numeric_limits<double>::quiet_NaN();
    if (!(number >= least && number <= most)) throw wrong(key, fmt::format("a number from {} to {}", least, most));
    setting = static_cast<float>(number);
  }

  void read(std::string_view key, int least, std::optional<int>& setting) {
    const json::value* value = find(key);
    if (value == nullptr) return;
    constexpr int kMost = std::numeric_limits<int>::max();
    if (!value->is_int64() || value->get_int64() < least || value->get_int64() > kMost)
      throw wrong(key, fmt::format("a whole number from {} to {}", least, kMost));
    setting = static_cast<int>(value->get_int64());
  }

  void read(std::string_view key, bool& setting) {
    const json::value* value = find(key);
    if (value == nullptr) return;
    if (!value->is_bool()) throw wrong(key, "true or false");
    setting = value->get_bool();
  }

  void read(std::string_view key, std::string& setting) {
    const json::value* value = find(key);
    if (value == nullptr) return;
    if (!value->is_string() || value->get_string().size() > 200) throw wrong(key, "a text of at most 200 bytes");
    setting = std::string_view(value->get_string());
  }

  // Keys that were not asked for and are set: null and false leave a feature as it is.
  std::vector<std::string> unused() const {
    std::vector<std::string> keys;
    for (const auto& [key, value] : settings_) {
      const std::string_view name(key.data(), key.size());
      const bool is_off = value.is_null() || (value.is_bool() && !value.get_bool());
      const auto is_known = [&](const auto& known) {
        return std::find(known.begin(), known.end(), name) != known.end();
      };
      if (!is_off && !is_known(read_) && !is_known(kForPeople)) keys.emplace_back(name);
    }
    return keys;
  }

 private:
  const json::value* find(std::string_view key) {
    read_.push_back(key);
    const json::value* value = settings_.if_contains(json::string_view(key.data(), key.size()));
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  Error wrong(std::string_view key, std::string_view expected) const {
    return Error(ErrorKind::config, "{}: '{}' has another value than {}; correct it, or leave it out", where_, key,
                 expected);
  }

  const json::object& settings_;
  const std::string_view where_;
  std::vector<std::string_view> read_;
};

const json::object& of_model(const json::object& file, std::string_view where, std::string_view model) {
  const json::value* models = file.if_contains("models");
  if (models == nullptr) return file;
  if (!models->is_object()) throw Error(ErrorKind::config, "{}: 'models' is no object of settings by model", where);
  const json::value* settings = models->get_object().if_contains(json::string_view(model.data(), model.size()));
  if (settings == nullptr)
    throw Error(ErrorKind::config, "{}: 'models' has no '{}'; name the model as it has it", where, model);
  if (!settings->is_object()) throw Error(ErrorKind::config, "{}: '{}' has no object of settings", where, model);
  return settings->get_object();
}

}  // namespace

ModelSettings parse_model_settings(std::string_view text, std::string_view where, std::string_view model) {
  boost::system::error_code failure;
  const json::value file = json::parse(json::string_view(text.data(), text.size()), failure);
  if (failure) throw Error(ErrorKind::config, "{}: is not JSON: {}", where, failure.message());
  if (!file.is_object()) throw Error(ErrorKind::config, "{}: is no JSON object", where);
  Reader reader(of_model(file.get_object(), where, model), where);
  ModelSettings settings;
  reader.read("temperature", 0, 2, settings.temperature);
  reader.read("top_p", 0, 1, settings.top_p);
  reader.read("min_p", 0, 1, settings.min_p);
  reader.read("repetition_penalty", 0.01, 10, settings.repetition_penalty);
  reader.read("presence_penalty", -2, 2, settings.presence_penalty);
  reader.read("frequency_penalty", -2, 2, settings.frequency_penalty);
  reader.read("top_k", -1, settings.top_k);
  reader.read("max_tokens", 1, settings.max_tokens);
  reader.read("max_context_window", 1, settings.max_context_window);
  reader.read("mtp_enabled", settings.mtp_enabled);
  reader.read("model_alias", settings.model_alias);
  reader.read("display_name", settings.display_name);
  if (settings.top_k) settings.top_k = std::max(*settings.top_k, 0);
  settings.unused = reader.unused();
  return settings;
}

}  // namespace paro::server
