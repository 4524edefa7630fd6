#include "text/gemma4_call.h"

#include <algorithm>

namespace paro::text {
namespace {

constexpr std::string_view kPrefix = "call:";
constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kStructure = "{}[],:\xff";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace

std::string_view Gemma4CallReader::read(std::string_view text) {
  if (!in_arguments_) return read_head(text);
  const std::string_view rest = scanner_.push(text);
  if (scanner_.state() == ObjectScanner::State::malformed) fail();
  if (scanner_.state() == ObjectScanner::State::complete) complete();
  return rest;
}

std::string_view Gemma4CallReader::read_head(std::string_view text) {
  const size_t brace = text.find('{');
  head_ += text.substr(0, brace);
  const std::string_view head = trimmed(head_);
  const size_t n_compared = std::min(head.size(), kPrefix.size());
  const std::string_view name = trimmed(head.substr(n_compared));
  if (head.substr(0, n_compared) != kPrefix.substr(0, n_compared) ||
      name.find_first_of(kStructure) != std::string_view::npos || head.size() > kMaxNameBytes) {
    fail();
    return {};
  }
  if (brace == std::string_view::npos) return {};
  if (name.empty()) fail();
  in_arguments_ = true;
  start(name);
  return text.substr(brace);
}

}  // namespace paro::text
