#include "text/chat_template.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/lexer.h"
#include "text/jinja/parser.h"
#include "text/jinja/unicode.h"

namespace paro::text {
namespace {

// Real templates are smaller than 100 KiB.
constexpr size_t kMaxSourceBytes = size_t(1) << 20;

Error at_line(int line, const std::string& message, ErrorKind kind = ErrorKind::chat_template) {
  return Error(kind, "chat template line {}: {}", line, message);
}

}  // namespace

struct ChatTemplate::Impl {
  jinja::Template tree;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

ChatTemplate ChatTemplate::parse(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    throw Error(ErrorKind::chat_template, "chat template: {} bytes, more than the {} that one may have", source.size(),
                kMaxSourceBytes);
  }
  if (!jinja::valid_utf8(source)) throw Error(ErrorKind::chat_template, "chat template: the source is not UTF-8");
  auto impl = std::make_unique<Impl>();
  try {
    impl->tree = jinja::parse_template(source);
  } catch (const jinja::SyntaxError& error) {
    throw at_line(error.line, error.message());
  } catch (const jinja::Failure& failure) {
    throw Error(ErrorKind::chat_template, "chat template: {}", failure.message());
  }
  return ChatTemplate(std::move(impl));
}

std::string ChatTemplate::render(const boost::json::object& context, const RenderOptions& options) const {
  jinja::Limits limits;
  limits.steps = options.max_steps;
  limits.built_bytes = options.max_built_bytes;
  limits.output_bytes = options.max_output_bytes;
  jinja::Runtime runtime(limits, options.now);
  try {
    const auto variables = jinja::make_ref<jinja::Dict>();
    for (const auto& entry : context) {
      const auto key = entry.key();
      const std::string_view name(key.data(), key.size());
      // The rest is never read, so it is not copied.
      if (mentions(name))
        variables->set(runtime.budget, jinja::make_text(runtime, std::string(name)),
                       jinja::from_json(runtime, entry.value()));
    }
    const jinja::Value dict = jinja::Value::dict(variables);
    return jinja::Interpreter(impl_->tree, dict, runtime).render();
  } catch (const jinja::Raised& raised) {
    throw Error(ErrorKind::request, raised.message());
  } catch (const jinja::OutputTooLong& failure) {
    throw at_line(runtime.line, failure.message(), ErrorKind::context_length);
  } catch (const jinja::Failure& failure) {
    throw at_line(runtime.line, failure.message());
  }
}

bool ChatTemplate::mentions(std::string_view variable) const {
  const auto& names = impl_->tree.context_names;
  return std::binary_search(names.begin(), names.end(), variable);
}

}  // namespace paro::text
