// Lines that a person types, with history and editing where standard input is a terminal.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace paro::cli {

class LineEditor {
 public:
  explicit LineEditor(std::string prompt);  // shown in terminals only
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  bool is_terminal() const { return impl_ != nullptr; }

  // The next line without its end; nothing at the end of input. Ctrl-C empties the line.
  std::optional<std::string> read();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;  // none: the input is a pipe
};

}  // namespace paro::cli
