// What a rendering may spend: steps, bytes of built values, output and nesting. A hostile template or request ends in
// an error long before it hangs the server or takes its memory.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace paro::text::jinja {

struct Limits {
  int64_t steps = 50'000'000;              // nodes evaluated, items iterated, and 64-byte pieces of text touched
  int64_t built_bytes = int64_t(1) << 29;  // all strings, lists and dicts built during one rendering
  int64_t output_bytes = int64_t(1) << 26;
  int depth = 900;  // nested evaluations; a macro call takes about ten
};

// A failure of the template, without its place; ChatTemplate adds "chat template line N".
class Failure : public std::exception {
 public:
  explicit Failure(std::string message) : message_(std::move(message)) {}
  const std::string& message() const { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

// raise_exception(message): the template refuses the request.
class Raised : public Failure {
 public:
  using Failure::Failure;
};

// The output exceeds its limit.
class OutputTooLong : public Failure {
 public:
  using Failure::Failure;
};

template <typename... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Failure(fmt::format(format, std::forward<Args>(args)...));
}

class Budget {
 public:
  explicit Budget(const Limits& limits) : limits_(limits) {}

  void step(int64_t n = 1) {
    steps_ += n;
    if (steps_ > limits_.steps) fail("rendering takes more than {} steps", limits_.steps);
  }

  // Called before `n` bytes are built.
  void bytes(int64_t n) {
    if (n > limits_.built_bytes - built_bytes_) {
      fail("rendering builds more than {} MiB of values", limits_.built_bytes >> 20);
    }
    built_bytes_ += n;
    step(n / 64);
  }

  void product(int64_t n, int64_t size_bytes) {
    int64_t total = 0;
    bytes(__builtin_mul_overflow(n, size_bytes, &total) ? INT64_MAX : total);
  }

  const Limits& limits() const { return limits_; }

  // One level of nesting while it lives.
  class Level {
   public:
    explicit Level(Budget& budget) : budget_(budget) {
      if (++budget_.depth_ > budget_.limits_.depth) {
        --budget_.depth_;
        fail("values or calls are nested too deeply");
      }
    }
    ~Level() { --budget_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Budget& budget_;
  };

 private:
  Limits limits_;
  int64_t steps_ = 0;
  int64_t built_bytes_ = 0;
  int depth_ = 0;
};

// A string that grows within the budget.
class Text {
 public:
  explicit Text(Budget& budget) : budget_(&budget) {}
  void add(std::string_view piece) {
    budget_->bytes(int64_t(piece.size()));
    text_.append(piece);
  }
  void add(char c) { add(std::string_view(&c, 1)); }
  const std::string& view() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  Budget* budget_;
  std::string text_;
};

}  // namespace paro::text::jinja
