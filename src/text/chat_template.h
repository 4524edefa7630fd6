// A chat template: Jinja source, rendered as Python's jinja2 does it in transformers (trim_blocks, lstrip_blocks,
// loop controls, tojson without HTML escapes, raise_exception, strftime_now).
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace paro::text {

class ChatTemplate {
 public:
  // Throws Error{chat_template} with line and cause.
  static ChatTemplate parse(std::string_view source);

  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  // `context` holds the variables: messages, tools, add_generation_prompt, bos_token, ... Objects keep their order.
  // Throws Error{chat_template}; what the template itself raises (raise_exception) is Error{request} with its message.
  std::string render(const boost::json::object& context) const;

  // Whether the source reads a variable of this name: tells tools and thinking support.
  bool mentions(std::string_view variable) const;

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace paro::text
