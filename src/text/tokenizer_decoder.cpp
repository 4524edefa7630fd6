#include "text/tokenizer_decoder.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "base/error.h"
#include "text/tokenizer_bytes.h"
#include "text/utf8.h"

namespace paro::text {

// Nesting is bounded by the depth that the JSON parser admits.
void Decoder::add(const JsonNode& node) {
  const std::string_view type = node.at("type").text();
  if (type == "Sequence") {
    for (const JsonNode& item : node.at("decoders").items()) add(item);
    return;
  }
  if (type == "Fuse") {
    is_joined_ = true;
    return;
  }
  if (type == "Strip" && is_joined_) {
    strips_.push_back(read_strip(node));
    return;
  }
  if (is_joined_) node.unsupported(fmt::format("decoder '{}' after Fuse or ByteLevel", type));
  std::vector<Step>& steps = byte_fallback_ ? after_bytes_ : before_bytes_;
  if (type == "Replace") {
    steps.emplace_back(Replace{TextPattern::from_json(node.at("pattern")), std::string(node.at("content").text())});
  } else if (type == "Strip") {
    steps.emplace_back(read_strip(node));
  } else if (type == "Metaspace") {
    steps.emplace_back(read_metaspace(node));
    first_differs_ = true;
  } else if (type == "ByteFallback") {
    if (byte_fallback_) node.unsupported("a second ByteFallback");
    byte_fallback_ = true;
  } else if (type == "ByteLevel") {
    join_ = Join::byte_level;
    is_joined_ = true;
  } else {
    node.unsupported(fmt::format("decoder '{}'", type));
  }
}

Decoder::Strip Decoder::read_strip(const JsonNode& node) {
  const JsonNode content = node.at("content");
  (void)content.character();
  return {std::string(content.text()), size_t(node.at("start").integer(0, INT32_MAX)),
          size_t(node.at("stop").integer(0, INT32_MAX))};
}

Decoder::Metaspace Decoder::read_metaspace(const JsonNode& node) {
  const JsonNode replacement = node.at("replacement");
  (void)replacement.character();
  const auto scheme = node.find("prepend_scheme");
  const bool never = scheme ? scheme->text() == "never" : !node.flag_or("add_prefix_space", true);
  return {std::string(replacement.text()), !never};
}

std::string Decoder::apply(const std::vector<Step>& steps, std::string token, bool is_first) {
  for (const Step& step : steps) {
    if (const auto* replace = std::get_if<Replace>(&step)) {
      token = replace->pattern.replace(token, replace->content);
    } else if (const auto* strip = std::get_if<Strip>(&step)) {
      size_t begin = 0;
      size_t end = token.size();
      const size_t length = strip->content.size();
      const std::string_view view = token;
      for (size_t n = 0; n < strip->start && view.substr(begin).starts_with(strip->content); ++n) begin += length;
      for (size_t n = 0; n < strip->stop && view.substr(begin, end - begin).ends_with(strip->content); ++n) {
        end -= length;
      }
      token = token.substr(begin, end - begin);
    } else {
      const auto& metaspace = std::get<Metaspace>(step);
      std::string spaced;
      for (size_t position = 0; position < token.size();) {
        const size_t length = utf8_char(token, position).length_bytes;
        const std::string_view c = std::string_view(token).substr(position, length);
        if (c != metaspace.replacement) {
          spaced += c;
        } else if (!is_first || !metaspace.drops_first) {
          spaced += ' ';
        }
        position += length;
      }
      token = std::move(spaced);
    }
  }
  return token;
}

// The byte of a token like <0x0A>.
std::optional<char> Decoder::byte_of(std::string_view token) const {
  if (!byte_fallback_ || token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return std::nullopt;
  unsigned byte = 0;
  const char* end = token.data() + 5;
  if (const auto result = std::from_chars(token.data() + 3, end, byte, 16);
      result.ec != std::errc() || result.ptr != end) {
    return std::nullopt;
  }
  return char(uint8_t(byte));
}

Decoder::Form Decoder::form_of(std::string_view token) const {
  std::string text = apply(before_bytes_, std::string(token), false);
  if (const auto byte = byte_of(text)) return {std::string(1, *byte), true};
  text = apply(after_bytes_, std::move(text), false);
  if (join_ == Join::byte_level) {
    if (auto bytes = from_byte_level(text)) text = std::move(*bytes);
  }
  return {std::move(text), false};
}

DecoderState Decoder::start() const {
  DecoderState state;
  for (const Strip& strip : strips_) state.strips.push_back({strip.start});
  return state;
}

void Decoder::push(DecoderState& state, std::string_view token, std::string_view form_bytes, bool is_byte,
                   std::string& out) const {
  if (first_differs_ && !(state.has_token && state.has_output)) {
    std::string text = apply(before_bytes_, std::string(token), !state.has_token);
    state.has_token = true;
    if (const auto byte = byte_of(text)) {
      state.byte_run += *byte;
    } else {
      end_byte_run(state, out);
      push_token(state, std::move(text), out);
    }
    return;
  }
  state.has_token = true;
  if (is_byte) {
    state.byte_run += form_bytes;
    return;
  }
  end_byte_run(state, out);
  push_bytes(state, form_bytes, out);
}

// A run that is no UTF-8 as a whole becomes one U+FFFD for each of its bytes.
void Decoder::end_byte_run(DecoderState& state, std::string& out) const {
  if (state.byte_run.empty()) return;
  const std::string run = std::exchange(state.byte_run, {});
  if (is_valid_utf8(run)) return push_token(state, run, out);
  for (size_t i = 0; i < run.size(); ++i) push_token(state, std::string(kReplacementCharacter), out);
}

// A token after byte fallback.
void Decoder::push_token(DecoderState& state, std::string token, std::string& out) const {
  token = apply(after_bytes_, std::move(token), !state.has_output);
  if (join_ == Join::byte_level) {
    if (auto bytes = from_byte_level(token)) token = std::move(*bytes);
  }
  push_bytes(state, token, out);
}

void Decoder::push_bytes(DecoderState& state, std::string_view bytes, std::string& out) const {
  const bool is_first = !std::exchange(state.has_output, true);
  if (join_ == Join::spaces && !is_first) push_text(state, " ", out);
  if (join_ != Join::byte_level) return push_text(state, bytes, out);
  if (state.incomplete.empty() && is_valid_utf8(bytes)) return push_text(state, bytes, out);
  state.incomplete += bytes;
  std::string text;
  size_t position = 0;
  while (position < state.incomplete.size()) {
    const Utf8Step step = utf8_step(state.incomplete, position);
    if (step.state == Utf8State::truncated) break;
    if (step.state == Utf8State::complete) {
      text.append(state.incomplete, position, step.length_bytes);
    } else {
      text += kReplacementCharacter;
    }
    position += step.length_bytes;
  }
  state.incomplete.erase(0, position);
  push_text(state, text, out);
}

void Decoder::push_text(DecoderState& state, std::string_view text, std::string& out) const {
  if (strips_.empty()) {
    out += text;
    return;
  }
  std::string stripped(text);
  for (size_t i = 0; i < strips_.size(); ++i) stripped = strip_joined(strips_[i], state.strips[i], stripped);
  out += stripped;
}

std::string Decoder::strip_joined(const Strip& step, DecoderState::Strip& state, std::string_view text) {
  std::string out;
  for (size_t position = 0; position < text.size();) {
    const std::string_view c = text.substr(position, utf8_char(text, position).length_bytes);
    position += c.size();
    if (c != step.content) {
      state.start_left = 0;
      for (; state.n_held > 0; --state.n_held) out += step.content;
      out += c;
    } else if (state.start_left > 0) {
      --state.start_left;
    } else if (state.n_held < step.stop) {
      ++state.n_held;
    } else {
      out += c;  // the run has more than can go, and all of it is alike
    }
  }
  return out;
}

void Decoder::finish(DecoderState& state, std::string& out) const {
  end_byte_run(state, out);
  if (!state.incomplete.empty()) {
    state.incomplete.clear();
    push_text(state, kReplacementCharacter, out);
  }
}

int64_t Decoder::memory_bytes() const {
  int64_t total = int64_t((before_bytes_.capacity() + after_bytes_.capacity()) * sizeof(Step));
  total += int64_t(strips_.capacity() * sizeof(Strip));
  for (const auto* steps : {&before_bytes_, &after_bytes_}) {
    for (const Step& step : *steps) {
      if (const auto* replace = std::get_if<Replace>(&step)) total += replace->pattern.memory_bytes();
    }
  }
  return total;
}

}  // namespace paro::text
