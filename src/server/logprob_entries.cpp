#include "server/logprob_entries.h"

#include <boost/json/object.hpp>
#include <utility>

#include "server/token_text.h"

namespace paro::server {
namespace {

namespace json = boost::json;

json::object entry_of(const text::Tokenizer& tokenizer, int32_t id, float logprob) {
  json::object entry;
  entry["token"] = token_text(tokenizer, id);
  entry["logprob"] = finite_logprob(logprob);
  entry["bytes"] = token_bytes(tokenizer, id);
  return entry;
}

}  // namespace

json::array logprob_entries(const text::Tokenizer& tokenizer, std::span<const ScoredToken> scores) {
  json::array entries;
  for (const ScoredToken& score : scores) {
    json::object entry = entry_of(tokenizer, score.token.id, score.token.logprob);
    json::array best;
    for (const TokenLogprob& other : score.token.best) best.emplace_back(entry_of(tokenizer, other.id, other.logprob));
    entry["top_logprobs"] = std::move(best);
    entries.emplace_back(std::move(entry));
  }
  return entries;
}

}  // namespace paro::server
