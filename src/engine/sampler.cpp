#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/error.h"
#include "base/largest.h"

namespace paro {
namespace {

// A number in [0, 1) from a seed and a count: splitmix64 (Steele, Lea, Flood 2014), so that a draw depends on nothing
// but the request's own seed and place.
double uniform(uint64_t seed, uint64_t count) {
  uint64_t z = seed + (count + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return double(z >> 11) * 0x1p-53;
}

// Best first; equal logits by id, so that the order is one.
bool better(const Sampler::Candidate& a, const Sampler::Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

// Weights that are damaged can make logits that are no numbers; whatever is drawn from them, drawing stays defined.
void make_finite(std::span<float> logits) {
  constexpr float kMost = std::numeric_limits<float>::max();
  for (float& logit : logits) logit = std::abs(logit) <= kMost ? logit : logit > 0 ? kMost : -kMost;
}

// Far below any logit, so that no token that may come next is behind one that may not.
void forbid_others(std::span<float> logits, std::span<const uint32_t> allowed) {
  for (size_t i = 0; i < logits.size(); ++i) {
    if ((allowed[i / 32] >> (i % 32) & 1) == 0) logits[i] = -std::numeric_limits<float>::infinity();
  }
}

double log_sum_exp(std::span<const float> logits) {
  const double most = largest(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - most);
  return most + std::log(sum);
}

}  // namespace

void check_sampling(const SamplingOptions& o, int vocab_size) {
  const auto check = [](const char* name, double value, double low, double high) {
    if (value >= low && value <= high) return;
    throw Error(ErrorKind::request, "{} is {}, expected {} to {}", name, value, low, high);
  };
  check("temperature", o.temperature, 0, 100);
  check("top_k", o.top_k, 0, std::numeric_limits<int>::max());
  check("top_p", o.top_p, 0, 1);
  check("min_p", o.min_p, 0, 1);
  check("repetition_penalty", o.repetition_penalty, 0.01f, 100);  // as float, so that the least is allowed
  check("presence_penalty", o.presence_penalty, -100, 100);
  check("frequency_penalty", o.frequency_penalty, -100, 100);
  check("penalty_window", o.penalty_window.value_or(0), 0, 1 << 30);
  check("logprobs", o.n_logprobs, -1, 1000);
  for (const auto& [id, bias] : o.logit_bias) {
    check("logit_bias", bias, -1e6, 1e6);
    if (id < 0 || id >= vocab_size) {
      throw Error(ErrorKind::request, "logit_bias names token {}, expected 0 to {}", id, vocab_size - 1);
    }
  }
}

Sampler::Sampler(SamplingOptions options, std::span<const int32_t> prompt, uint64_t fallback_seed)
    : options_(std::move(options)), seed_(options_.seed.value_or(fallback_seed)) {
  if (options_.penalty_window) {
    const size_t n = std::min(prompt.size(), size_t(*options_.penalty_window));
    window_.assign(prompt.end() - int64_t(n), prompt.end());
    for (const int32_t id : window_) ++n_counted_[id];
    return;
  }
  if (options_.repetition_penalty == 1.0f) return;
  prompt_tokens_.assign(prompt.begin(), prompt.end());
  std::sort(prompt_tokens_.begin(), prompt_tokens_.end());
  prompt_tokens_.erase(std::unique(prompt_tokens_.begin(), prompt_tokens_.end()), prompt_tokens_.end());
}

void Sampler::apply_penalties(std::span<float> logits) const {
  const auto repeat = [&](int32_t id) {
    float& logit = logits[size_t(id)];
    logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
  };
  if (options_.repetition_penalty != 1.0f) {
    for (const int32_t id : prompt_tokens_) repeat(id);
    for (const auto& [id, count] : n_counted_) {
      if (!std::binary_search(prompt_tokens_.begin(), prompt_tokens_.end(), id)) repeat(id);
    }
  }
  for (const auto& [id, count] : n_counted_) {
    logits[size_t(id)] -= options_.presence_penalty + options_.frequency_penalty * float(count);
  }
  for (const auto& [id, bias] : options_.logit_bias) logits[size_t(id)] += bias;
}

// The likeliest token, which is all that is left to be drawn.
SampledToken Sampler::greedy(std::span<const float> logits) const {
  SampledToken token{.id = int32_t(index_of_largest(logits))};
  if (options_.logprobs_as_drawn && options_.n_logprobs > 0) token.best.push_back({token.id, 0.0f});
  return token;
}

// Of a token that is counted for penalties, the oldest leaves a full window.
void Sampler::count(int32_t id) {
  ++n_counted_[id];
  if (!options_.penalty_window) return;
  window_.push_back(id);
  if (window_.size() <= size_t(*options_.penalty_window)) return;
  const auto oldest = n_counted_.find(window_.front());
  if (--oldest->second == 0) n_counted_.erase(oldest);
  window_.pop_front();
}

SampledToken Sampler::draw(std::span<float> logits, std::span<Candidate> candidates) {
  const float most = largest(logits);
  const double drawn_scale = 1.0 / options_.temperature;
  const double filtered_scale = options_.temperature_last ? 1.0 : drawn_scale;
  const auto weight_at = [&](float logit, double scale) { return std::exp((double(logit) - most) * scale); };
  const auto weight = [&](float logit) { return weight_at(logit, filtered_scale); };

  for (size_t i = 0; i < logits.size(); ++i) candidates[i] = {int32_t(i), logits[i]};
  size_t n = candidates.size();
  size_t n_sorted = 0;
  // Sorts the best `count` of those left; a few are enough for most distributions.
  const auto sort_best = [&](size_t count) {
    count = std::min(count, n);
    if (count <= n_sorted) return;
    const auto begin = candidates.begin() + int64_t(n_sorted);
    const auto end = candidates.begin() + int64_t(n);
    if (count < n) std::nth_element(begin, candidates.begin() + int64_t(count) - 1, end, better);
    std::sort(begin, candidates.begin() + int64_t(count), better);
    n_sorted = count;
  };

  if (options_.top_k > 0 && size_t(options_.top_k) < n) {
    sort_best(size_t(options_.top_k));
    n = size_t(options_.top_k);
  }
  double total = 0;
  for (size_t i = 0; i < n; ++i) total += weight(candidates[i].logit);
  if (options_.top_p < 1.0f) {  // the fewest whose sum reaches top_p, at least one
    double sum = 0;
    size_t kept = 0;
    do {
      if (kept == n_sorted) sort_best(std::max<size_t>(64, n_sorted * 4));
      sum += weight(candidates[kept++].logit);
    } while (kept < n && sum < double(options_.top_p) * total);
    n = kept;
    total = sum;
  }
  if (options_.min_p > 0.0f) {
    const auto kept = std::partition(candidates.begin(), candidates.begin() + int64_t(n),
                                     [&](const Candidate& c) { return weight(c.logit) >= double(options_.min_p); });
    n = size_t(kept - candidates.begin());
    total = 0;
    for (size_t i = 0; i < n; ++i) total += weight(candidates[i].logit);
  }
  const auto share = [&](const Candidate& c) { return weight_at(c.logit, drawn_scale); };
  if (drawn_scale != filtered_scale) {
    total = 0;
    for (size_t i = 0; i < n; ++i) total += share(candidates[i]);
  }
  // The walk visits candidates in an order that follows from the logits alone.
  double left = uniform(seed_, n_drawn_) * total;
  const Candidate* drawn = candidates.data();  // the last that could be, for when rounding leaves a rest
  for (size_t i = 0; i < n && left >= 0; ++i) {
    const double each = share(candidates[i]);
    left -= each;
    if (each > 0) drawn = &candidates[i];
  }
  SampledToken token{.id = drawn->id};
  if (!options_.logprobs_as_drawn || options_.n_logprobs < 0) return token;

  const auto logprob = [&](const Candidate& c) { return float(std::log(share(c) / total)); };
  token.logprob = logprob(*drawn);
  const size_t n_best = std::min(size_t(options_.n_logprobs), n);
  std::partial_sort(candidates.begin(), candidates.begin() + int64_t(n_best), candidates.begin() + int64_t(n), better);
  for (size_t i = 0; i < n_best && share(candidates[i]) > 0; ++i) {
    token.best.push_back({candidates[i].id, logprob(candidates[i])});
  }
  return token;
}

SampledToken Sampler::sample(std::span<float> logits, std::span<std::byte> scratch, std::span<const uint32_t> allowed) {
  PARO_CHECK(int64_t(scratch.size()) >= scratch_bytes(int(logits.size())));
  const std::span candidates(reinterpret_cast<Candidate*>(scratch.data()), logits.size());
  make_finite(logits);

  const bool wants_own = options_.n_logprobs >= 0 && !options_.logprobs_as_drawn;
  std::vector<TokenLogprob> best;
  double normalizer = 0;
  if (wants_own) {
    normalizer = log_sum_exp(logits);
    const size_t n_best = std::min(size_t(options_.n_logprobs), logits.size());
    for (size_t i = 0; i < logits.size(); ++i) candidates[i] = {int32_t(i), logits[i]};
    std::partial_sort(candidates.begin(), candidates.begin() + int64_t(n_best), candidates.end(), better);
    for (size_t i = 0; i < n_best; ++i) best.push_back({candidates[i].id, float(candidates[i].logit - normalizer)});
  }
  // Penalties change logits in place; a token's logprob is told from what its logit was before.
  std::unordered_map<int32_t, float> before;
  if (wants_own) {
    const auto keep = [&](int32_t id) { before.emplace(id, logits[size_t(id)]); };
    for (const int32_t id : prompt_tokens_) keep(id);
    for (const auto& [id, count] : n_counted_) keep(id);
    for (const auto& [id, bias] : options_.logit_bias) keep(id);
  }
  apply_penalties(logits);
  if (!allowed.empty()) forbid_others(logits, allowed);

  SampledToken token = options_.temperature == 0.0f ? greedy(logits) : draw(logits, candidates);
  ++n_drawn_;
  count(token.id);
  if (wants_own) {
    const auto old = before.find(token.id);
    const float logit = old == before.end() ? logits[size_t(token.id)] : old->second;
    token.logprob = float(logit - normalizer);
    token.best = std::move(best);
  }
  return token;
}

}  // namespace paro
