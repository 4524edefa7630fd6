// A chat template: Jinja source, rendered as Python's jinja2 does it in transformers (trim_blocks, lstrip_blocks,
// loop controls, tojson without HTML escapes, raise_exception, strftime_now).
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace paro::text {

// What one rendering may take; beyond it the template fails. The defaults suit prompts of millions of tokens.
struct RenderOptions {
  std::optional<std::time_t> now;         // the clock of strftime_now; the machine's when absent
  int64_t max_steps = 50'000'000;         // evaluations, items iterated, 64-byte pieces of text touched
  int64_t max_built_bytes = 512LL << 20;  // all values built on the way
  int64_t max_output_bytes = 64LL << 20;
};

class ChatTemplate {
 public:
  // Throws Error{chat_template} with line and cause.
  static ChatTemplate parse(std::string_view source);

  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  // `context` holds the variables: messages, tools, add_generation_prompt, bos_token, ... Objects keep their order.
  // Throws Error{chat_template}, and Error{context_length} beyond max_output_bytes; what the template itself raises
  // (raise_exception) is Error{request} with its message.
  // Several threads may render one template.
  std::string render(const boost::json::object& context, const RenderOptions& options = {}) const;

  // Whether the source reads a variable of this name from its context: tells tools and thinking support.
  bool mentions(std::string_view variable) const;

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace paro::text
