// A call with a tag for each argument, as Qwen3.5 and Qwen3-Coder write it:
// <function=NAME>\n<parameter=KEY>\nVALUE\n</parameter>\n…</function>. The function's schema tells what a value is:
// text as it stands, or JSON.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "text/call_reader.h"
#include "text/offered_tools.h"

namespace paro::text {

class FunctionCallReader final : public CallReader {
 public:
  explicit FunctionCallReader(std::shared_ptr<const OfferedTools> tools) : tools_(std::move(tools)) {}

 private:
  enum class Part { function, members, value_newline, value, end };

  std::string_view read(std::string_view text) override;
  bool is_complete_at(Ending ending) const override { return part_ == Part::members && ending == Ending::closed; }

  // Each returns whether it read what it looks for; else more text is needed, or it has failed.
  bool read_function();
  bool read_member();
  bool read_value();

  void take(std::string_view text);
  void end_value();

  const std::shared_ptr<const OfferedTools> tools_;  // shared by a request's parsers; none: any type
  Part part_ = Part::function;
  std::string unread_;
  std::string function_;
  JsonTypes types_ = kAnyJson;  // of the value that is being read
  std::string value_;           // as far as it was read, unless it is certain to be a string
};

}  // namespace paro::text
