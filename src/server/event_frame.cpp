#include "server/event_frame.h"

#include <fmt/format.h>

#include "server/json_text.h"

namespace paro::server {

std::string event_frame(const boost::json::object& data) { return fmt::format("data: {}\n\n", json_text(data)); }

std::string event_frame(std::string_view name, const boost::json::object& data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, json_text(data));
}

}  // namespace paro::server
