#include "text/normalizer.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

#include "base/error.h"
#include "text/utf8.h"

namespace paro::text {

Normalizer::Normalizer(const JsonNode& node) { add(node); }

// Nesting is bounded by the depth that the JSON parser admits.
void Normalizer::add(const JsonNode& node) {
  const std::string_view type = node.at("type").text();
  if (type == "Sequence") {
    for (const JsonNode& item : node.at("normalizers").items()) add(item);
  } else if (type == "NFC") {
    steps_.emplace_back(Form::nfc);
  } else if (type == "NFD") {
    steps_.emplace_back(Form::nfd);
  } else if (type == "NFKC") {
    steps_.emplace_back(Form::nfkc);
  } else if (type == "NFKD") {
    steps_.emplace_back(Form::nfkd);
  } else if (type == "Replace") {
    steps_.emplace_back(Replace{TextPattern::from_json(node.at("pattern")), std::string(node.at("content").text())});
  } else if (type == "Prepend") {
    steps_.emplace_back(Prepend{std::string(node.at("prepend").text())});
  } else if (type == "Strip") {
    steps_.emplace_back(Strip{node.at("strip_left").flag(), node.at("strip_right").flag()});
  } else if (type == "Lowercase") {
    steps_.emplace_back(Lowercase{});
  } else {
    node.unsupported(fmt::format("normalizer '{}'", type));
  }
}

std::string Normalizer::apply(std::string text) const {
  for (const Step& step : steps_) {
    if (const auto* form = std::get_if<Form>(&step)) {
      text = to_form(std::move(text), *form);
    } else if (const auto* replace = std::get_if<Replace>(&step)) {
      text = replace->pattern.replace(text, replace->content);
    } else if (const auto* prepend = std::get_if<Prepend>(&step)) {
      if (!text.empty()) text.insert(0, prepend->prefix);
    } else if (const auto* sides = std::get_if<Strip>(&step)) {
      text = strip(std::move(text), *sides);
    } else {
      text = lowercase(text);
    }
  }
  return text;
}

std::string Normalizer::to_form(std::string text, Form form) {
  // Characters that no form changes and that compose with nothing before them: ASCII always, up to U+02FF for NFC, and
  // U+11A7, which stands one before the final consonants of Hangul and which utf8proc takes for one of them.
  const auto is_inert = [form](char32_t code) { return code < (form == Form::nfc ? 0x300u : 0x80u) || code == 0x11A7; };
  const int options = UTF8PROC_STABLE |
                      (form == Form::nfc || form == Form::nfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
                      (form == Form::nfkc || form == Form::nfkd ? UTF8PROC_COMPAT : 0);
  if (is_ascii(text)) return text;
  // An inert character starts anew, so that a text falls into parts: inert ones are copied, and the others, each with
  // the inert character that it may combine with, are normalized one by one.
  std::string out;
  out.reserve(text.size());
  size_t copied = 0;
  size_t last_inert = 0;
  bool after_inert = false;
  for (size_t position = 0; position < text.size();) {
    const Utf8Char first = utf8_char(text, position);
    if (is_inert(first.code)) {
      last_inert = position;
      after_inert = true;
      position += first.length_bytes;
      continue;
    }
    const size_t begin = after_inert ? last_inert : position;
    size_t end = position;
    while (end < text.size()) {
      const Utf8Char next = utf8_char(text, end);
      if (is_inert(next.code)) break;
      end += next.length_bytes;
    }
    out.append(text, copied, begin - copied);
    utf8proc_uint8_t* mapped = nullptr;
    const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + begin),
                                     utf8proc_ssize_t(end - begin), &mapped, utf8proc_option_t(options));
    const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owner(mapped, &std::free);
    if (length == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
    if (length < 0) {
      throw Error(ErrorKind::request, "a text of {} bytes cannot be normalized: {}", end - begin,
                  utf8proc_errmsg(length));
    }
    out.append(reinterpret_cast<const char*>(mapped), size_t(length));
    copied = position = end;
    after_inert = false;
  }
  out.append(text, copied, text.size() - copied);
  return out;
}

std::string Normalizer::strip(std::string text, const Strip& sides) {
  size_t begin = 0;
  size_t end = text.size();
  while (sides.left && begin < end && is_white_space(utf8_char(text, begin).code)) {
    begin += utf8_char(text, begin).length_bytes;
  }
  while (sides.right && end > begin && is_white_space(utf8_char(text, utf8_previous(text, end)).code)) {
    end = utf8_previous(text, end);
  }
  return text.substr(begin, end - begin);
}

std::string Normalizer::lowercase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t position = 0; position < text.size();) {
    const Utf8Char c = utf8_char(text, position);
    position += c.length_bytes;
    // The only character whose lower case is two characters.
    if (c.code == 0x130) {
      out += "i\xCC\x87";
    } else {
      append_utf8(out, char32_t(utf8proc_tolower(utf8proc_int32_t(c.code))));
    }
  }
  return out;
}

int64_t Normalizer::memory_bytes() const {
  int64_t total = int64_t(steps_.capacity() * sizeof(Step));
  for (const Step& step : steps_) {
    if (const auto* replace = std::get_if<Replace>(&step)) {
      total += replace->pattern.memory_bytes() + int64_t(replace->content.capacity());
    }
  }
  return total;
}

}  // namespace paro::text
