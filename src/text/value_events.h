// A value as it comes: what readers of values tell, piece by piece.
#pragma once

#include <string_view>

namespace paro::text {

class ValueEvents {
 public:
  virtual ~ValueEvents() = default;
  virtual void begin_object() = 0;
  virtual void end_object() = 0;
  virtual void begin_array() = 0;
  virtual void end_array() = 0;
  virtual void key(std::string_view text) = 0;
  virtual void begin_string() = 0;
  virtual void string_part(std::string_view text) = 0;  // UTF-8
  virtual void end_string() = 0;
  virtual void scalar(std::string_view json) = 0;  // a number, true, false or null
};

}  // namespace paro::text
