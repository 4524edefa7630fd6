#include "server/compiled_grammars.h"

#include <algorithm>
#include <utility>

#include "server/api_error.h"

namespace paro::server {
namespace {

double in_mib(int64_t n_bytes) { return static_cast<double>(n_bytes) / (1 << 20); }

}  // namespace

int64_t CompiledGrammars::Entry::planned_bytes() const {
  return static_cast<int64_t>(key.size()) + automaton->network_bytes() + text::TokenAutomaton::kKeptBytes;
}

CompiledGrammars::CompiledGrammars(std::shared_ptr<const text::GrammarVocabulary> vocabulary, int64_t max_bytes)
    : vocabulary_(std::move(vocabulary)), room_bytes_(std::max<int64_t>(max_bytes - kWorkBytes, 0)) {}

std::shared_ptr<text::TokenAutomaton> CompiledGrammars::get(const std::string& key,
                                                            const std::function<text::Grammar()>& compile) {
  if (static_cast<int64_t>(key.size()) > kMaxKeyBytes)
    throw ApiError(Error(ErrorKind::request,
                         "request: tools and schemas have {} bytes, a grammar is made of at most {}", key.size(),
                         kMaxKeyBytes));
  if (room_bytes_ == 0)
    throw ApiError(
        Error(ErrorKind::request, "request: this server keeps no grammars: it runs with --grammar-memory 0"));
  const std::lock_guard lock(mutex_);
  auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& each) { return each.key == key; });
  if (entry == entries_.end()) {
    Entry made{key, std::make_shared<text::TokenAutomaton>(compile(), vocabulary_)};
    make_room(made.planned_bytes());
    made.automaton->prepare();
    entry = entries_.insert(entries_.end(), std::move(made));
  }
  entry->last_use = ++n_uses_;
  return entry->automaton;
}

// Lets go of those that no answer holds, the one whose last use is longest ago first. Nobody can begin to hold one
// meanwhile.
void CompiledGrammars::make_room(int64_t n_bytes) {
  if (n_bytes > room_bytes_)
    throw ApiError(Error(ErrorKind::memory,
                         "request: the grammar takes {:.1f} MiB, this server keeps {:.1f} MiB of them; ask for a "
                         "smaller one, or serve with more --grammar-memory",
                         in_mib(n_bytes), in_mib(room_bytes_)));
  int64_t taken_bytes = 0;
  for (const Entry& entry : entries_) taken_bytes += entry.planned_bytes();
  while (taken_bytes + n_bytes > room_bytes_) {
    auto oldest = entries_.end();
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (entry->automaton.use_count() > 1) continue;
      if (oldest == entries_.end() || entry->last_use < oldest->last_use) oldest = entry;
    }
    if (oldest == entries_.end())
      throw ApiError(Error(ErrorKind::unavailable,
                           "server: the grammars and schemas that hold answers take {:.1f} of {:.1f} MiB, this one "
                           "needs {:.1f}; try again, or serve with more --grammar-memory",
                           in_mib(taken_bytes), in_mib(room_bytes_), in_mib(n_bytes)));
    taken_bytes -= oldest->planned_bytes();
    entries_.erase(oldest);
  }
}

}  // namespace paro::server
