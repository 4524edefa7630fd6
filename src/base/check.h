// PARO_CHECK(condition, "format", args...): an invariant of the program, checked in every build and never reachable by
// input. A failure throws Error{internal} with its place, so that a server answers 500 and lives on.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace paro {

[[noreturn]] void check_failed(const char* condition, const char* file, int line, std::string_view message);

}  // namespace paro

#define PARO_CHECK(condition, ...)                                                         \
  do {                                                                                     \
    if (!(condition)) [[unlikely]]                                                         \
      ::paro::check_failed(#condition, __FILE__, __LINE__, ::fmt::format("" __VA_ARGS__)); \
  } while (false)
