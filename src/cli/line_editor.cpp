#include "cli/line_editor.h"

#include <histedit.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <iostream>
#include <string_view>
#include <utility>

namespace paro::cli {

struct LineEditor::Impl {
  explicit Impl(std::string text) : prompt(std::move(text)) {
    std::setlocale(LC_CTYPE, "");  // or non-ASCII letters cannot be typed
    history = ::history_init();
    HistEvent event;
    ::history(history, &event, H_SETSIZE, 1000);
    editor = ::el_init("paro", stdin, stdout, stderr);
    ::el_set(editor, EL_CLIENTDATA, this);
    ::el_set(
        editor, EL_PROMPT, +[](EditLine* el) {
          Impl* self = nullptr;
          ::el_get(el, EL_CLIENTDATA, &self);
          return self->prompt.data();
        });
    ::el_set(editor, EL_EDITOR, "emacs");
    ::el_set(editor, EL_HIST, ::history, history);
    // While a line is edited, Ctrl-C is a key that empties it; while an answer comes, it is a signal again.
    ::el_set(editor, EL_SETTY, "-d", "-isig", nullptr);
    ::el_set(editor, EL_BIND, "^C", "em-kill-line", nullptr);
  }
  ~Impl() {
    ::el_end(editor);
    ::history_end(history);
  }

  std::string prompt;
  EditLine* editor = nullptr;
  History* history = nullptr;
};

LineEditor::LineEditor(std::string prompt) {
  if (::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1) impl_ = std::make_unique<Impl>(std::move(prompt));
}

LineEditor::~LineEditor() = default;

std::optional<std::string> LineEditor::read() {
  if (impl_ == nullptr) {
    std::string line;
    if (!std::getline(std::cin, line)) return {};
    return line;
  }
  int n = 0;
  const char* text = ::el_gets(impl_->editor, &n);
  if (text == nullptr || n <= 0) return {};
  std::string line(text, size_t(n));
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  if (!line.empty()) {
    HistEvent event;
    ::history(impl_->history, &event, H_ENTER, line.c_str());
  }
  return line;
}

}  // namespace paro::cli
