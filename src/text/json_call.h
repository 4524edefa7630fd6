// A call as a JSON object, {"name": ..., "arguments": {...}}, or "parameters" for "arguments": Qwen3's and Llama 3's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "text/call_reader.h"
#include "text/object_scanner.h"
#include "text/offered_tools.h"

namespace paro::text {

class JsonCallReader final : public CallReader, private ValueEvents {
 public:
  JsonCallReader() = default;

  // For objects that nothing marks as calls: one is if it names one of `tools` and has no member that calls have not.
  explicit JsonCallReader(std::shared_ptr<const OfferedTools> tools) : tools_(std::move(tools)) {}

 private:
  enum class Member { other, name, arguments };

  std::string_view read(std::string_view text) override;
  bool is_complete_at(Ending) const override { return has_arguments_; }

  void begin_object() override;
  void end_object() override;
  void begin_array() override;
  void end_array() override;
  void key(std::string_view text) override;
  void begin_string() override;
  void string_part(std::string_view text) override;
  void end_string() override;
  void scalar(std::string_view json) override;

  bool at(Member member) const { return depth_ == 1 && member_ == member; }
  bool in_arguments() const { return depth_ > 1 && member_ == Member::arguments; }
  void start_if_certain();

  const std::shared_ptr<const OfferedTools> tools_;  // shared by a request's parsers
  ObjectScanner scanner_{kJsonNotation, *this};
  int depth_ = 0;
  Member member_ = Member::other;
  std::string name_;
  bool has_name_ = false, has_arguments_ = false;  // read to their ends
};

}  // namespace paro::text
