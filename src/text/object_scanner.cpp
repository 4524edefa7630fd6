#include "text/object_scanner.h"

#include <algorithm>
#include <utility>

#include "text/utf8.h"

namespace paro::text {
namespace {

constexpr size_t kMaxDepth = 32;
constexpr std::string_view kSpace = " \t\r\n";

bool is_space(char c) { return kSpace.find(c) != std::string_view::npos; }

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

bool is_json_number(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t begin = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - begin;
  };
  const auto accept_any = [&](std::string_view chars) {
    if (at == text.size() || chars.find(text[at]) == std::string_view::npos) return false;
    ++at;
    return true;
  };
  accept_any("-");
  const size_t integer = at;
  const size_t n_digits = digits();
  if (n_digits == 0 || (n_digits > 1 && text[integer] == '0')) return false;
  if (accept_any(".") && digits() == 0) return false;
  if (accept_any("eE")) {
    accept_any("+-");
    if (digits() == 0) return false;
  }
  return at == text.size();
}

}  // namespace

std::string_view ObjectScanner::push(std::string_view text) {
  while (!text.empty() && state_ == State::reading) text.remove_prefix(read(text));
  return state_ == State::complete ? text : std::string_view();
}

size_t ObjectScanner::read(std::string_view text) {
  switch (expects_) {
    case Expects::string:
      return read_string(text);
    case Expects::escape:
      return read_escape(text.front());
    case Expects::unicode:
      read_unicode(text.front());
      return 1;
    case Expects::bare:
      return read_bare(text);
    default:
      return is_space(text.front()) ? 1 : read_structure(text.front());
  }
}

size_t ObjectScanner::read_structure(char c) {
  switch (expects_) {
    case Expects::root:
      c == '{' ? begin(c) : fail();
      return 1;
    case Expects::value:
      return begin_value(c);
    case Expects::value_or_end:
      if (c != ']') return begin_value(c);
      end(c);
      return 1;
    case Expects::key:
      return begin_key(c);
    case Expects::key_or_end:
      if (c != '}') return begin_key(c);
      end(c);
      return 1;
    case Expects::colon:
      c == ':' ? void(expects_ = Expects::value) : fail();
      return 1;
    default:  // comma_or_end
      if (c == ',') {
        expects_ = open_.back() == '{' ? Expects::key : Expects::value;
      } else {
        end(c);
      }
      return 1;
  }
}

size_t ObjectScanner::begin_value(char c) {
  in_key_ = false;
  if (c == '{' || c == '[') {
    begin(c);
  } else if (c == notation_.quote) {
    expects_ = Expects::string;
    events_.begin_string();
  } else {
    expects_ = Expects::bare;
    return 0;
  }
  return 1;
}

size_t ObjectScanner::begin_key(char c) {
  in_key_ = true;
  expects_ = c == notation_.quote ? Expects::string : Expects::bare;
  if (expects_ == Expects::string) return 1;
  if (!notation_.has_bare_strings) fail();
  return 0;
}

void ObjectScanner::begin(char opener) {
  if (open_.size() == kMaxDepth) return fail();
  open_ += opener;
  if (opener == '{') {
    expects_ = Expects::key_or_end;
    events_.begin_object();
  } else {
    expects_ = Expects::value_or_end;
    events_.begin_array();
  }
}

void ObjectScanner::end(char closer) {
  const bool is_object = open_.back() == '{';
  if (closer != (is_object ? '}' : ']')) return fail();
  open_.pop_back();
  expects_ = Expects::comma_or_end;
  if (open_.empty()) state_ = State::complete;
  is_object ? events_.end_object() : events_.end_array();
}

size_t ObjectScanner::read_string(std::string_view text) {
  const auto ends = [&](char c) { return c == notation_.quote || (notation_.has_escapes && c == '\\'); };
  const auto end = static_cast<size_t>(std::find_if(text.begin(), text.end(), ends) - text.begin());
  if (end > 0) put(text.substr(0, end));
  if (end == text.size()) return end;
  if (text[end] == notation_.quote) {
    end_string();
  } else {
    expects_ = Expects::escape;
  }
  return end + 1;
}

size_t ObjectScanner::read_escape(char c) {
  constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  expects_ = Expects::string;
  if (c == 'u') {
    expects_ = Expects::unicode;
    code_ = 0;
    n_digits_ = 0;
    return 1;
  }
  if (const size_t letter = kLetters.find(c); letter != std::string_view::npos) {
    put(kMeanings.substr(letter, 1));
    return 1;
  }
  put("\\");
  return 0;
}

void ObjectScanner::read_unicode(char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const size_t digit = kDigits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
  if (digit == std::string_view::npos) return fail();
  code_ = code_ << 4 | static_cast<char32_t>(digit);
  if (++n_digits_ < 4) return;
  expects_ = Expects::string;
  put_code(code_);
}

size_t ObjectScanner::read_bare(std::string_view text) {
  const auto ends = [&](char c) {
    return c == notation_.quote || (in_key_ ? std::string_view("{}[],:") : ",}]").find(c) != std::string_view::npos;
  };
  const auto end = static_cast<size_t>(std::find_if(text.begin(), text.end(), ends) - text.begin());
  word_ += text.substr(0, end);
  if (end < text.size()) end_bare();
  return end;
}

void ObjectScanner::end_bare() {
  const std::string whole = std::exchange(word_, {});
  const std::string_view word = trimmed(whole);
  if (word.empty()) return fail();
  if (in_key_) {
    expects_ = Expects::colon;
    return events_.key(word);
  }
  expects_ = Expects::comma_or_end;
  if (word == "true" || word == "false" || word == "null" || is_json_number(word)) return events_.scalar(word);
  if (!notation_.has_bare_strings) return fail();
  events_.begin_string();
  events_.string_part(word);
  events_.end_string();
}

void ObjectScanner::end_string() {
  put_lone_surrogate();
  if (in_key_) {
    expects_ = Expects::colon;
    events_.key(std::exchange(word_, {}));
  } else {
    expects_ = Expects::comma_or_end;
    events_.end_string();
  }
}

void ObjectScanner::put(std::string_view text) {
  put_lone_surrogate();
  if (in_key_) {
    word_ += text;
  } else {
    events_.string_part(text);
  }
}

void ObjectScanner::put_code(char32_t code) {
  const bool is_high = code >= 0xD800 && code < 0xDC00, is_low = code >= 0xDC00 && code < 0xE000;
  if (is_low && high_ != 0) {
    code = 0x10000 + ((std::exchange(high_, 0) & 0x3FF) << 10 | (code & 0x3FF));
  } else if (is_high) {
    put_lone_surrogate();
    high_ = code;
    return;
  }
  std::string text;
  if (is_low && code < 0x10000) {
    text = kReplacementCharacter;
  } else {
    append_utf8(text, code);
  }
  put(text);
}

void ObjectScanner::put_lone_surrogate() {
  if (std::exchange(high_, 0) != 0) put(kReplacementCharacter);
}

}  // namespace paro::text
