#include "checkpoint/weight_map.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace paro {
namespace {

// Characters that two names share at their ends: a renamed module in the middle leaves both ends alike. The start
// counts double, since it names the layer.
size_t likeness(std::string_view a, std::string_view b) {
  const size_t shorter = std::min(a.size(), b.size());
  size_t prefix = 0;
  while (prefix < shorter && a[prefix] == b[prefix]) ++prefix;
  size_t suffix = 0;
  while (suffix < shorter - prefix && a[a.size() - 1 - suffix] == b[b.size() - 1 - suffix]) ++suffix;
  return 2 * prefix + suffix;
}

std::string expected_text(std::initializer_list<DType> dtypes, const Shape& shape) {
  std::string text;
  for (const DType dtype : dtypes) text += fmt::format("{}{}", text.empty() ? "" : " or ", to_string(dtype));
  return text + " " + to_string(shape);
}

bool matches_any(std::string_view name, std::span<const std::string_view> patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [name](std::string_view pattern) {
    return pattern.starts_with('.') ? name.find(pattern) != std::string_view::npos : name.starts_with(pattern);
  });
}

}  // namespace

const StoredTensor& WeightMap::take(std::string_view name, std::initializer_list<DType> dtypes, const Shape& shape) {
  const StoredTensor* tensor = files_.find(name);
  if (tensor == nullptr) {
    std::string_view nearest;
    size_t best = 0;
    for (const auto& [stored, unused] : files_.tensors()) {
      const size_t score = likeness(name, stored);
      if (score > best) {
        best = score;
        nearest = stored;
      }
    }
    throw Error(ErrorKind::checkpoint, "'{}' is missing, expected {}; {}", name, expected_text(dtypes, shape),
                best == 0 ? "no stored name is like it" : fmt::format("the nearest stored name is '{}'", nearest));
  }
  if (std::find(dtypes.begin(), dtypes.end(), tensor->dtype) == dtypes.end()) {
    throw Error(ErrorKind::checkpoint, "'{}' is {} {}, expected {}", name, to_string(tensor->dtype),
                to_string(tensor->shape), expected_text(dtypes, shape));
  }
  if (tensor->shape != shape) {
    throw Error(ErrorKind::checkpoint, "'{}' is {}, expected {}", name, to_string(tensor->shape), to_string(shape));
  }
  taken_.emplace(name);
  return *tensor;
}

void WeightMap::check_all_taken(std::span<const std::string_view> skip) const {
  size_t n_left = 0;
  std::string_view first;
  for (const auto& [name, unused] : files_.tensors()) {
    if (taken_.contains(name) || matches_any(name, skip)) continue;
    if (n_left++ == 0) first = name;
  }
  if (n_left == 0) return;
  throw Error(ErrorKind::checkpoint,
              "{} never read, first '{}'; the files hold parts that this architecture does not know",
              n_left == 1 ? "1 tensor was" : fmt::format("{} tensors were", n_left), first);
}

std::vector<std::string> WeightMap::left() const {
  std::vector<std::string> names;
  for (const auto& [name, unused] : files_.tensors()) {
    if (!taken_.contains(name)) names.push_back(name);
  }
  return names;
}

}  // namespace paro
