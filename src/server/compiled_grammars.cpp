#include "server/compiled_grammars.h"

#include <algorithm>
#include <utility>

#include "server/api_error.h"

namespace paro::server {

int64_t CompiledGrammars::planned_bytes(int n_grammars) {
  return n_grammars * (text::TokenAutomaton::max_memory_bytes() + kMaxKeyBytes);
}

std::shared_ptr<text::TokenAutomaton> CompiledGrammars::get(const std::string& key,
                                                            const std::function<text::Grammar()>& compile) {
  if (static_cast<int64_t>(key.size()) > kMaxKeyBytes)
    throw ApiError(Error(ErrorKind::request,
                         "request: tools and schemas have {} bytes, a grammar is made of at most {}", key.size(),
                         kMaxKeyBytes));
  if (n_grammars_ == 0)
    throw ApiError(Error(ErrorKind::request, "request: this server keeps no grammars: it runs with --max-grammars 0"));
  const std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; });
  Entry& entry = found != entries_.end() ? *found : free_place();
  if (found == entries_.end() || entry.automaton == nullptr) {
    entry.key.clear();
    entry.automaton =
        std::make_shared<text::TokenAutomaton>(std::make_shared<const text::Grammar>(compile()), vocabulary_);
    entry.key = key;
  }
  entry.last_use = ++n_uses_;
  return entry.automaton;
}

// The one that no answer holds and whose last use is longest ago. Nobody can begin to hold it meanwhile.
CompiledGrammars::Entry& CompiledGrammars::free_place() {
  if (entries_.size() < n_grammars_) return entries_.emplace_back();
  Entry* oldest = nullptr;
  for (Entry& entry : entries_) {
    if (entry.automaton && entry.automaton.use_count() > 1) continue;
    if (oldest == nullptr || entry.last_use < oldest->last_use) oldest = &entry;
  }
  if (oldest == nullptr)
    throw ApiError(Error(ErrorKind::unavailable,
                         "server: {} other grammars and schemas hold answers at this time; try again", n_grammars_));
  *oldest = {};
  return *oldest;
}

}  // namespace paro::server
