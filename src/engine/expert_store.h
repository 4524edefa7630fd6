// Experts that do not all fit: slots in the backend's layout over all layers, filled from the checkpoint's files while
// the step computes. Threads of the store's own read experts and pack them, each one expert while the disk reads its
// next. What a step asks for goes before what it may ask for next; of guesses few are read at once, since a disk does
// not let the one pass the other.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/error.h"
#include "engine/expert_files.h"
#include "engine/expert_slots.h"
#include "ops/expert_source.h"

namespace paro {

class ExpertStore final : public ExpertSource {
 public:
  // Threads that read and pack, each into slots of its own: no more than keep a disk at work, which shares itself among
  // all, so that of more each comes later.
  static int n_readers(int64_t n_slots) {
    return int(std::clamp<int64_t>(n_slots / kExpertsOfReader, 1, kMostReaders));
  }

  static int64_t slot_bytes(std::span<const ExpertRegion> regions);
  static int64_t staging_bytes(std::span<const ExpertRegion> regions, int64_t n_slots) {
    return n_readers(n_slots) * kExpertsOfReader * ExpertFiles::staging_bytes(regions);
  }

  // `slots` and `staging` as large as planned, zeroed, and there as long as the store. Throws Error{usage} when the
  // system gives no threads.
  ExpertStore(std::span<const ExpertRegion> regions, std::vector<File> files, const Backend& backend, int n_slots,
              std::span<std::byte> slots, std::span<std::byte> staging);
  ~ExpertStore() override;

  bool is_streamed() const override { return true; }
  void request(int layer, std::span<const int32_t> chosen, int64_t n_rows) override;
  void expect(int layer, std::span<const int32_t> chosen, int64_t n_rows) override;
  int hold(int layer, std::span<int32_t> experts, std::span<const std::byte*> packed) override;
  void release(int layer, std::span<const int32_t> experts) override;

  ExpertStats stats() const;

 private:
  static constexpr int kMostReaders = 3;
  static constexpr int kExpertsOfReader = 2;  // the one that it packs, and the one that the disk reads
  static constexpr int kGuessedReads = 2;     // a guess is read beside one other expert at most

  // An expert that a thread has.
  struct Fetch {
    ExpertSlots::Fetch target;
    std::span<std::byte> staging;
    ExpertFiles::ReadExpert read{};  // once it is read
    std::optional<Error> error;
  };

  void load_experts(std::span<std::byte> staging);
  std::optional<Fetch> next_fetch(std::span<std::byte> staging);
  void end(const Fetch& fetch, ExpertSlots::Outcome outcome);
  void wake_readers();
  std::byte* slot(int index) const { return slots_.data() + index * slot_bytes_; }

  const ExpertFiles files_;
  const int64_t slot_bytes_;
  const bool is_mixed_;  // experts of several shapes share slots
  const std::span<std::byte> slots_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable work_, ready_;
  ExpertSlots book_;
  std::map<int, Error> errors_;  // of experts whose last fetch failed
  double wait_seconds_ = 0;
  int64_t n_read_bytes_ = 0;
  int n_reads_ = 0;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace paro
