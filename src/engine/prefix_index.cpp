#include "engine/prefix_index.h"

namespace paro {

const PrefixIndex::Entry* PrefixIndex::find(const PrefixKey& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

void PrefixIndex::put(const PrefixKey& key, const Entry& entry) {
  erase(key);
  entries_.emplace(key, entry);
  by_use_.emplace(entry.used, key);
  n_units_ += entry.n_units;
}

void PrefixIndex::touch(const PrefixKey& key, Time used) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.used >= used) return;
  auto node = by_use_.extract({found->second.used, key});
  node.value().first = found->second.used = used;
  by_use_.insert(std::move(node));
}

void PrefixIndex::erase(const PrefixKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  by_use_.erase({found->second.used, key});
  n_units_ -= found->second.n_units;
  entries_.erase(found);
}

std::optional<PrefixKey> PrefixIndex::oldest() const {
  if (by_use_.empty()) return {};
  return by_use_.begin()->second;
}

}  // namespace paro
