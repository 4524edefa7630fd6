// The program's log, on standard error through spdlog. Levels: debug, info, warn, error.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace paro::log {

enum class Level { debug, info, warn, error };

void set_level(Level level);
Level parse_level(std::string_view name);  // throws Error{usage}
void write(Level level, std::string_view message);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warn, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace paro::log
