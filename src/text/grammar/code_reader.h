// Reads the characters of a notation one by one, and words errors with the place that they stand at.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace paro::text {

class CodeReader {
 public:
  static constexpr char32_t kEnd = UINT32_MAX;

  enum class Places { lines, positions };  // "line 2, column 5" or "character 5"

  // Throws Error{request} unless `text` is valid UTF-8. `what` names the text in errors.
  CodeReader(std::string_view text, std::string_view what, Places places);

  bool at_end() const { return at_ == text_.size(); }
  char32_t peek() const;  // kEnd at the end
  char32_t next();        // fails at the end
  bool starts_with(std::string_view ascii) const { return text_.substr(at_).starts_with(ascii); }
  bool accept(std::string_view ascii);
  void expect(std::string_view ascii);
  std::optional<uint32_t> accept_number();  // decimal, saturated
  char32_t hex(int n_digits);               // exactly so many

  size_t position() const { return at_; }
  void rewind(size_t position) { at_ = position; }
  std::string_view since(size_t position) const { return text_.substr(position, at_ - position); }

  [[noreturn]] void fail(std::string_view problem) const { fail_at(at_, problem); }
  [[noreturn]] void fail_at(size_t position, std::string_view problem) const;

 private:
  std::string_view text_;
  std::string what_;
  Places places_;
  size_t at_ = 0;
};

// A character as errors show it.
std::string shown(char32_t code);

}  // namespace paro::text
