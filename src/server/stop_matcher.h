// Finds stop strings in a text that comes in pieces: text which may be the start of one is held back until decided.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace paro::server {

class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops);

  // Text that is certain to come before any stop string. Once one was found, nothing more.
  std::string push(std::string_view text);

  // What was held back, when another kind of text or the end follows.
  std::string flush();

  bool found() const { return found_; }
  std::string_view stop() const { return stop_; }  // the one that was found
  bool holds_text() const { return !held_.empty(); }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  std::string stop_;
  bool found_ = false;
};

}  // namespace paro::server
