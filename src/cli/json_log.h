// Lines of --log-format json.
#pragma once

#include "base/log.h"

namespace paro::cli {

// {"time", "level", "message"}, the time as RFC 3339 has it, in UTC to the millisecond; what is no UTF-8 is replaced.
std::string json_log_line(log::Level level, log::Time time, std::string_view message);

}  // namespace paro::cli
