#include "engine/expert_store.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <system_error>

#include "base/align.h"
#include "base/check.h"

namespace paro {
namespace {

std::vector<int> experts_by_layer(std::span<const ExpertRegion> regions) {
  std::vector<int> n_experts;
  for (const ExpertRegion& region : regions) {
    PARO_CHECK(region.layer >= int(n_experts.size()), "layer {} after layer {}", region.layer, n_experts.size());
    n_experts.resize(size_t(region.layer) + 1);
    n_experts.back() = region.n_experts;
  }
  return n_experts;
}

bool are_mixed(std::span<const ExpertRegion> regions) {
  return std::any_of(regions.begin(), regions.end(), [&](const ExpertRegion& region) {
    return region.spec.hidden != regions[0].spec.hidden || region.spec.intermediate != regions[0].spec.intermediate;
  });
}

}  // namespace

int64_t ExpertStore::slot_bytes(std::span<const ExpertRegion> regions) {
  int64_t largest = 0;
  for (const ExpertRegion& region : regions) largest = std::max(largest, region.expert_bytes);
  return largest;
}

ExpertStore::ExpertStore(std::span<const ExpertRegion> regions, std::vector<File> files, const Backend& backend,
                         int n_slots, std::span<std::byte> slots, std::span<std::byte> staging)
    : files_(regions, std::move(files), backend),
      slot_bytes_(slot_bytes(regions)),
      is_mixed_(are_mixed(regions)),
      slots_(slots),
      book_(experts_by_layer(regions), n_slots) {
  const int64_t own = kExpertsOfReader * ExpertFiles::staging_bytes(regions);
  PARO_CHECK(int64_t(slots.size()) >= n_slots * slot_bytes_ && int64_t(staging.size()) >= n_readers(n_slots) * own);
  try {
    for (int i = 0; i < n_readers(n_slots); ++i) {
      threads_.emplace_back([this, part = staging.subspan(size_t(i * own), size_t(own))] { load_experts(part); });
    }
  } catch (const std::system_error& error) {
    if (threads_.empty()) throw Error(ErrorKind::usage, "no thread could be started to read experts: {}", error.what());
  }
}

ExpertStore::~ExpertStore() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ExpertStore::request(int layer, std::span<const int32_t> chosen, int64_t n_rows) {
  const std::lock_guard lock(mutex_);
  book_.request(layer, chosen, n_rows);
  wake_readers();
}

void ExpertStore::expect(int layer, std::span<const int32_t> chosen, int64_t) {
  const std::lock_guard lock(mutex_);
  book_.expect(layer, chosen);
  wake_readers();
}

int ExpertStore::hold(int layer, std::span<int32_t> experts, std::span<const std::byte*> packed) {
  if (experts.empty()) return 0;
  std::unique_lock lock(mutex_);
  const auto held = [&] { return book_.hold(layer, experts, int(packed.size())); };
  int n = held();
  if (n == 0) {
    wake_readers();  // for those that nobody had asked for
    const auto start = std::chrono::steady_clock::now();
    ready_.wait(lock, [&] {
      for (const int32_t expert : experts) {
        if (book_.failed(layer, expert)) throw Error(errors_.at(book_.number(layer, expert)));
      }
      return (n = held()) > 0;
    });
    wait_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  for (int i = 0; i < n; ++i) packed[size_t(i)] = slot(book_.slot_of(layer, experts[size_t(i)]));
  return n;
}

void ExpertStore::release(int layer, std::span<const int32_t> experts) {
  const std::lock_guard lock(mutex_);
  book_.release(layer, experts);
  wake_readers();  // a slot may have been missing
}

// As many as there are experts to read: a decode step asks several times a layer, mostly for what is there.
void ExpertStore::wake_readers() {
  const int n_wanted = book_.n_wanted_to_fetch();
  const int n = n_wanted > 0 ? std::min(int(threads_.size()), n_wanted) : std::min(kGuessedReads, book_.n_to_fetch());
  for (int i = 0; i < n; ++i) work_.notify_one();
}

ExpertStats ExpertStore::stats() const {
  const std::lock_guard lock(mutex_);
  ExpertStats stats = book_.stats();
  stats.n_read_bytes = n_read_bytes_;
  stats.wait_seconds = wait_seconds_;
  return stats;
}

// What is to be read next, if there is something.
std::optional<ExpertStore::Fetch> ExpertStore::next_fetch(std::span<std::byte> staging) {
  auto target = book_.begin_wanted();
  if (!target && n_reads_ < kGuessedReads) target = book_.begin_guess();
  if (!target) return {};
  // What experts of another shape left would stand in the padding.
  if (is_mixed_) std::memset(slot(target->slot), 0, size_t(slot_bytes_));
  ++n_reads_;
  work_.notify_one();  // there may be more, and nobody was woken for it as no slot was free
  return Fetch{.target = *target, .staging = staging, .read = {}, .error = {}};
}

void ExpertStore::end(const Fetch& fetch, ExpertSlots::Outcome outcome) {
  const int number = fetch.target.number;
  book_.end_fetch(number, outcome);
  if (fetch.error) {
    errors_.insert_or_assign(number, *fetch.error);
  } else {
    errors_.erase(number);
    n_read_bytes_ += files_.stored_bytes(number);
  }
  ready_.notify_all();
}

void ExpertStore::load_experts(std::span<std::byte> staging) {
  std::span<std::byte> free = staging.first(staging.size() / 2), other = staging.subspan(staging.size() / 2);
  StoredReader::Flight flight;
  std::optional<Fetch> read;  // and not packed yet
  std::unique_lock lock(mutex_);
  const auto unlocked = [&](std::optional<Fetch>& fetch, auto&& work) {
    if (!fetch || fetch->error) return;
    lock.unlock();
    try {
      work(fetch->target.number);
    } catch (const Error& error) {
      fetch->error = error;
    } catch (const std::exception& error) {
      fetch->error = Error(ErrorKind::internal, "an expert could not be loaded: {}", error.what());
    }
    lock.lock();
  };
  while (true) {
    std::optional<Fetch> next;
    work_.wait(lock, [&] { return is_stopping_ || (next = next_fetch(free)) || read; });
    if (is_stopping_) return;
    unlocked(next, [&](int number) { files_.begin_read(number, next->staging, flight); });
    if (read) {
      const bool is_useful = book_.is_useful(read->target.number);
      if (is_useful) unlocked(read, [&](int number) { files_.pack(number, read->read, slot(read->target.slot)); });
      using Outcome = ExpertSlots::Outcome;
      end(*read, read->error ? Outcome::failed : is_useful ? Outcome::ready : Outcome::dropped);
    }
    unlocked(next, [&](int number) { next->read = files_.finish_read(number, flight); });
    if (next) {
      --n_reads_;
      std::swap(free, other);
    }
    read = std::move(next);
  }
}

}  // namespace paro
