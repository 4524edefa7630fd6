#include "text/tokenizer_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <utility>

#include "base/error.h"
#include "text/tokenizer_regex_dialect.h"
#include "text/utf8.h"

namespace paro::text {

namespace {

constexpr size_t kMaxExpressionBytes = 1 << 16;
constexpr size_t kFirstJitStackBytes = 32 << 10;
constexpr size_t kLastJitStackBytes = 8 << 20;

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

std::string message_of(int code) {
  std::array<PCRE2_UCHAR, 256> message{};
  pcre2_get_error_message(code, message.data(), message.size());
  return reinterpret_cast<const char*>(message.data());
}

}  // namespace

struct TextPattern::Compiled {
  Owned<pcre2_code> code;
  std::string where;
  bool has_jit = false;
};

namespace {

// One run of an expression over texts, with its own scratch memory so that a pattern may serve several threads.
class Matcher {
 public:
  Matcher(const pcre2_code* code, bool has_jit, const std::string& where)
      : code_(code),
        has_jit_(has_jit),
        where_(where),
        match_(pcre2_match_data_create(1, nullptr)),
        context_(pcre2_match_context_create(nullptr)) {
    if (!match_ || !context_) throw std::bad_alloc();
  }

  // The first match at or after `start`.
  bool find(std::string_view text, size_t start) {
    int code = attempt(text, start);
    if (code == PCRE2_ERROR_JIT_STACKLIMIT && !stack_) {
      stack_.reset(pcre2_jit_stack_create(kFirstJitStackBytes, kLastJitStackBytes, nullptr));
      if (!stack_) throw std::bad_alloc();
      pcre2_jit_stack_assign(context_.get(), nullptr, stack_.get());
      code = attempt(text, start);
    }
    if (code == PCRE2_ERROR_NOMATCH) return false;
    if (code < 0) {
      throw Error(ErrorKind::tokenizer,
                  "the regular expression at {} of tokenizer.json fails on a text of {} bytes: {}", where_, text.size(),
                  message_of(code));
    }
    return true;
  }

  size_t begin() const { return pcre2_get_ovector_pointer(match_.get())[0]; }
  size_t end() const { return pcre2_get_ovector_pointer(match_.get())[1]; }

 private:
  int attempt(std::string_view text, size_t start) {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    if (has_jit_) return pcre2_jit_match(code_, subject, text.size(), start, 0, match_.get(), context_.get());
    return pcre2_match(code_, subject, text.size(), start, PCRE2_NO_UTF_CHECK, match_.get(), context_.get());
  }

  const pcre2_code* code_;
  bool has_jit_;
  const std::string& where_;
  Owned<pcre2_match_data> match_;
  Owned<pcre2_match_context> context_;
  Owned<pcre2_jit_stack> stack_;
};

}  // namespace

TextPattern::TextPattern(std::string literal) : literal_(std::move(literal)) {}
TextPattern::TextPattern(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
TextPattern::~TextPattern() = default;
TextPattern::TextPattern(TextPattern&&) noexcept = default;
TextPattern& TextPattern::operator=(TextPattern&&) noexcept = default;

TextPattern TextPattern::from_json(const JsonNode& node) {
  if (const auto literal = node.find("String")) {
    if (literal->text().empty()) literal->fail("a string that is not empty");
    return TextPattern::literal(std::string(literal->text()));
  }
  if (const auto expression = node.find("Regex")) return regex(expression->text(), expression->path());
  node.fail("an object with 'String' or 'Regex'");
}

TextPattern TextPattern::literal(std::string text) { return TextPattern(std::move(text)); }

TextPattern TextPattern::regex(std::string_view expression, const std::string& where) {
  if (expression.size() > kMaxExpressionBytes) {
    throw Error(ErrorKind::tokenizer, "tokenizer.json: {}: a regular expression of {} bytes, expected at most {}",
                where, expression.size(), kMaxExpressionBytes);
  }
  const std::string translated = pcre2_expression(expression, where);
  const Owned<pcre2_compile_context> context(pcre2_compile_context_create(nullptr));
  if (!context) throw std::bad_alloc();
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int code = 0;
  PCRE2_SIZE offset = 0;
  auto compiled = std::make_unique<Compiled>();
  compiled->where = where;
  compiled->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                     PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &offset,
                                     context.get()));
  if (!compiled->code) {
    throw Error(ErrorKind::tokenizer, "tokenizer.json: {}: the regular expression does not compile: {}", where,
                message_of(code));
  }
  compiled->has_jit = pcre2_jit_compile(compiled->code.get(), PCRE2_JIT_COMPLETE) == 0;
  return TextPattern(std::move(compiled));
}

void TextPattern::split(std::string_view text, std::vector<Segment>& segments) const {
  segments.clear();
  size_t previous_end = 0;
  const auto add_match = [&](size_t begin, size_t end) {
    if (previous_end != begin) segments.push_back({previous_end, begin, false});
    segments.push_back({begin, end, true});
    previous_end = end;
  };
  if (!compiled_) {
    for (size_t at = text.find(literal_); at != std::string_view::npos; at = text.find(literal_, previous_end)) {
      add_match(at, at + literal_.size());
    }
  } else if (!text.empty()) {
    Matcher matcher(compiled_->code.get(), compiled_->has_jit, compiled_->where);
    bool any = false;
    for (size_t start = 0; start <= text.size() && matcher.find(text, start);) {
      // An empty match that touches the match before it is passed over.
      if (matcher.begin() == matcher.end() && any && matcher.end() == previous_end) {
        start += start < text.size() ? utf8_char(text, start).length_bytes : 1;
        continue;
      }
      add_match(matcher.begin(), matcher.end());
      start = previous_end;
      any = true;
    }
  }
  if (previous_end != text.size()) segments.push_back({previous_end, text.size(), false});
}

std::string TextPattern::replace(std::string_view text, std::string_view replacement) const {
  std::vector<Segment> segments;
  split(text, segments);
  std::string out;
  out.reserve(text.size());
  for (const Segment& segment : segments) {
    out += segment.is_match ? replacement : text.substr(segment.begin, segment.end - segment.begin);
  }
  return out;
}

int64_t TextPattern::memory_bytes() const {
  int64_t total = int64_t(literal_.capacity());
  if (compiled_) {
    size_t code_bytes = 0;
    size_t jit_bytes = 0;
    pcre2_pattern_info(compiled_->code.get(), PCRE2_INFO_SIZE, &code_bytes);
    pcre2_pattern_info(compiled_->code.get(), PCRE2_INFO_JITSIZE, &jit_bytes);
    total += int64_t(sizeof(Compiled) + code_bytes + jit_bytes);
  }
  return total;
}

}  // namespace paro::text
