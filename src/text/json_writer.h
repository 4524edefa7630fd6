// Writes a JSON value while it comes, so that it can be closed to valid JSON at any point.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/value_events.h"

namespace paro::text {

class JsonWriter final : public ValueEvents {
 public:
  void begin_object() override { begin('{', '}'); }
  void end_object() override { end(); }
  void begin_array() override { begin('[', ']'); }
  void end_array() override { end(); }
  void key(std::string_view text) override { key_ = text; }  // shows with its value
  void begin_string() override;
  void string_part(std::string_view text) override;
  void end_string() override;
  void scalar(std::string_view json) override;
  void value(std::string_view json) { scalar(json); }  // a whole one of any kind

  void close();  // ends all that is open; a key without a value is left out

  bool is_open() const { return !open_.empty(); }
  std::string take() { return std::exchange(out_, {}); }  // what was written since the last call

 private:
  struct Open {
    char closer;
    bool is_empty = true;
  };

  void begin_value();
  void begin(char opener, char closer);
  void end();

  std::vector<Open> open_;
  bool in_string_ = false;
  std::optional<std::string> key_;
  std::string out_;
};

}  // namespace paro::text
