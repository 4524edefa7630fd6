// Reads one call's text as it comes and tells of it: the function's name first, then the JSON of its arguments piece by
// piece. Each notation of calls derives its own.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_format.h"
#include "text/json_writer.h"

namespace paro::text {

inline constexpr size_t kMaxNameBytes = 1024;  // of a function or an argument, with what marks it

// How a segment of an answer ends: by its own closing marker, or by another token or the answer's end.
enum class Ending { closed, cut };

// Until the name and the beginning of the arguments are read, the call may still be none: its text is held back, and
// comes out as content then. A call that breaks off after that keeps the arguments that were told, closed to valid
// JSON; what follows in it is dropped.
class CallReader {
 public:
  virtual ~CallReader() = default;

  // Returns what follows the call, once it is complete.
  std::string_view push(std::string_view text, std::vector<ChatDelta>& deltas);

  // Nothing more belongs to the call.
  void finish(Ending ending, std::vector<ChatDelta>& deltas);

  bool is_complete() const { return state_ == State::complete; }

 protected:
  // Reads on until the state changes; returns the rest.
  virtual std::string_view read(std::string_view text) = 0;
  virtual bool is_complete_at(Ending /*ending*/) const { return false; }  // though complete() was not called

  void start(std::string_view name);  // from now on it is a call
  void complete();                    // of one that has started
  void fail();                        // no call, or broken

  JsonWriter arguments_;

 private:
  enum class State { undecided, started, complete, broken, none };

  void tell(std::vector<ChatDelta>& deltas);
  void end(bool is_complete, std::vector<ChatDelta>& deltas);

  State state_ = State::undecided;
  std::string held_;  // text of what may still be no call
  std::string name_;
  bool told_name_ = false, told_end_ = false;
};

}  // namespace paro::text
