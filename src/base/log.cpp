#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>

#include "base/error.h"

namespace paro::log {
namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = spdlog::stderr_color_mt("paro");
    made->set_pattern("%H:%M:%S %^%l%$ %v");
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::atomic<MakeLine> own_lines = nullptr;  // nullptr: the logger's own text

}  // namespace

void set_level(Level level) { logger().set_level(spdlog_level(level)); }

void set_lines(MakeLine make_line) {
  logger().set_pattern("%v");
  own_lines = make_line;
}

bool is_text() { return own_lines == nullptr; }

Level parse_level(std::string_view name) {
  if (name == "debug") return Level::debug;
  if (name == "info") return Level::info;
  if (name == "warn") return Level::warn;
  if (name == "error") return Level::error;
  throw Error(ErrorKind::usage, "log level '{}' is unknown, expected debug, info, warn or error", name);
}

std::string_view to_string(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
  }
  return "info";
}

void write(Level level, std::string_view message) {
  const MakeLine make_line = own_lines;
  if (make_line == nullptr) {
    logger().log(spdlog_level(level), message);
  } else if (logger().should_log(spdlog_level(level))) {
    logger().log(spdlog_level(level), make_line(level, std::chrono::system_clock::now(), message));
  }
}

}  // namespace paro::log
