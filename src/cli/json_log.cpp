#include "cli/json_log.h"

#include <fmt/chrono.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "text/utf8.h"

namespace paro::cli {

std::string json_log_line(log::Level level, log::Time time, std::string_view message) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  return boost::json::serialize(boost::json::object{
      {"time", fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::time_t(ms / 1000)), ms % 1000)},
      {"level", boost::json::string(log::to_string(level))},
      {"message", boost::json::string(text::replace_invalid_utf8(message))},
  });
}

}  // namespace paro::cli
