// config.json and its like, read by key with the type that is asked for. A model reads what it knows; an absent key
// takes the default of transformers' config class.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace paro {

class Config {
 public:
  // Parses a JSON object; `where` names it in errors. Throws Error{config}.
  static Config parse(std::string_view json, std::string where);
  static Config load(const std::filesystem::path& file);

  bool has(std::string_view key) const;  // present and not null

  // The value under `key`. Throws Error{config} when it is absent, null or of another type; the message names the key,
  // what was expected, what was found and the file.
  int64_t get_int(std::string_view key) const;
  double get_float(std::string_view key) const;
  bool get_bool(std::string_view key) const;
  std::string get_string(std::string_view key) const;
  std::vector<std::string> get_strings(std::string_view key) const;
  std::vector<int64_t> get_ints(std::string_view key) const;  // one integer counts as a list of one
  Config get_object(std::string_view key) const;

  // The same with a default for a key that is absent or null; another type is an error all the same.
  int64_t get_int(std::string_view key, int64_t absent) const;
  double get_float(std::string_view key, double absent) const;
  bool get_bool(std::string_view key, bool absent) const;
  std::string get_string(std::string_view key, std::string_view absent) const;

  // An integer that must lie in [low, high].
  int64_t get_int_in(std::string_view key, std::optional<int64_t> absent, int64_t low, int64_t high) const;

  std::vector<std::string> keys() const;
  const std::string& where() const { return where_; }  // "config.json: text_config"

 private:
  struct Node;  // a JSON object, owned jointly by every Config cut out of one file
  Config(std::shared_ptr<const Node> node, std::string where);
  std::shared_ptr<const Node> node_;
  std::string where_;
};

// config.json of a model directory, seen from its language model.
struct ModelConfig {
  Config root;
  Config text;             // text_config where there is one, else root
  bool nested;             // weights are then named model.language_model.*
  std::string model_type;  // text.model_type
  int group_size;          // quantization_config
  int krot;

  static ModelConfig load(const std::filesystem::path& directory);  // reads <directory>/config.json
  static ModelConfig parse(std::string_view json, const std::string& where);
};

}  // namespace paro
