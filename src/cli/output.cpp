#include "cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "base/log.h"

namespace paro::cli {

namespace json = boost::json;

namespace {

// Our own values only, a few levels deep.
void append_indented(std::string& out, const json::value& value, size_t indent) {
  const std::string inner(indent + 2, ' '), outer(indent, ' ');
  const auto is_flat = [](const json::value& v) { return !v.is_structured(); };
  if (value.is_object() && !value.get_object().empty()) {
    out += "{\n";
    bool first = true;
    for (const auto& [key, item] : value.get_object()) {
      if (!first) out += ",\n";
      first = false;
      out += inner + json::serialize(json::value(key)) + ": ";
      append_indented(out, item, indent + 2);
    }
    out += "\n" + outer + "}";
  } else if (value.is_array() && !value.get_array().empty() && !is_flat(value.get_array().front())) {
    out += "[\n";
    bool first = true;
    for (const json::value& item : value.get_array()) {
      if (!first) out += ",\n";
      first = false;
      out += inner;
      append_indented(out, item, indent + 2);
    }
    out += "\n" + outer + "]";
  } else if (value.is_double() && std::isfinite(value.get_double())) {
    out += fmt::format("{}", value.get_double());
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Error(ErrorKind::io, "cannot write to standard output: {}", std::strerror(errno));
  }
}

std::string to_text(const json::object& object) {
  std::string text;
  append_indented(text, object, 0);
  return text + "\n";
}

void print_json(const json::object& object) { print(to_text(object)); }

bool output_is_terminal() {
  static const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  return is_terminal;
}

std::string dim(std::string_view text) {
  if (!output_is_terminal() || text.empty()) return std::string(text);
  return fmt::format("\x1b[2m{}\x1b[0m", text);
}

LoadProgress progress_bar(std::string what) {
  if (::isatty(STDERR_FILENO) != 1 || !log::is_text()) return {};
  using Clock = std::chrono::steady_clock;
  return [what = std::move(what), shown = Clock::time_point{}](int64_t n_done_bytes, int64_t n_bytes) mutable {
    const bool done = n_done_bytes == n_bytes;
    const auto now = Clock::now();
    if (!done && now - shown < std::chrono::milliseconds(100)) return;
    shown = now;
    constexpr int kWidth = 30;
    const int n_filled = n_bytes > 0 ? int(kWidth * n_done_bytes / n_bytes) : kWidth;
    fmt::print(stderr, "\r{} [{:<{}}] {} of {} ", what, std::string(size_t(n_filled), '='), kWidth,
               format_bytes(n_done_bytes), format_bytes(n_bytes));
    if (done) fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
  };
}

}  // namespace paro::cli
