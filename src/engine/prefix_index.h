// Which blocks of prompts lie on disk, how large their files are, and which of them is given up first. Bookkeeping
// alone; one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "engine/prefix_file.h"

namespace paro {

class PrefixIndex {
 public:
  using Time = std::filesystem::file_time_type;

  // Blocks of one prompt are used at once, and a later one is of no use without those before it: it counts as older by
  // its place.
  static Time time_of_use(Time of_prompt, int block) { return of_prompt - std::chrono::nanoseconds(block); }

  struct Entry {
    Time used;
    int32_t n_units = 0;  // of the file, as it counts
    bool slides = false;  // it has pages of sliding attention
  };
  // Files take whole units of the disk.
  static constexpr int64_t kUnitBytes = 4096;
  static int64_t units_of(int64_t n_bytes) { return (n_bytes + kUnitBytes - 1) / kUnitBytes; }

  // Memory of each entry: its nodes in the two tables, with what the heap adds to them.
  static constexpr int64_t kEntryBytes = 176;

  const Entry* find(const PrefixKey& key) const;
  void put(const PrefixKey& key, const Entry& entry);  // in place of one that is there
  void touch(const PrefixKey& key, Time used);         // unless it was used later, or is not there
  void erase(const PrefixKey& key);
  std::optional<PrefixKey> oldest() const;

  int64_t n_entries() const { return int64_t(entries_.size()); }
  int64_t n_bytes() const { return n_units_ * kUnitBytes; }

 private:
  struct Hash {
    size_t operator()(const PrefixKey& key) const noexcept { return size_t(key.low); }
  };

  std::unordered_map<PrefixKey, Entry, Hash> entries_;
  std::set<std::pair<Time, PrefixKey>> by_use_;
  int64_t n_units_ = 0;
};

}  // namespace paro
