// The program's log, on standard error through spdlog. Levels: debug, info, warn, error.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace paro::log {

enum class Level { debug, info, warn, error };

using Time = std::chrono::system_clock::time_point;
using MakeLine = std::string (*)(Level level, Time time, std::string_view message);

void set_level(Level level);
void set_lines(MakeLine make_line);        // in place of the text that lines are at first
bool is_text();                            // lines are as they are at first
Level parse_level(std::string_view name);  // throws Error{usage}
std::string_view to_string(Level level);   // as parse_level() reads it
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
