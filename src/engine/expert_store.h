// Experts that do not all fit: slots in the backend's layout over all layers, filled from the checkpoint's files while
// the step computes. Threads of the store's own read the parts of an expert and pack them, each one part while the disk
// reads its next. What a step asks for goes before what it may ask for next, part by part; of guesses few parts are
// read at once, since a disk does not let the one pass the other.
#pragma once

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
  // Threads that read and pack, and so the parts that are read at once: as many as keep a disk at work. It shares
  // itself among all, so that of more each comes later, and what a layer waits for last comes last.
  static constexpr int kReaders = 4;

  static int64_t slot_bytes(std::span<const ExpertRegion> regions);
  static int64_t staging_bytes(std::span<const ExpertRegion> regions) {
    return kReaders * kPartsOfReader * ExpertFiles::staging_bytes(regions);
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
  static constexpr int kPartsOfReader = 2;  // the one that it packs, and the one that the disk reads
  static constexpr int kGuessedReads = 3;   // a guess is read beside two other parts at most

  // An expert on its way into its slot; its parts are read by different threads.
  struct Fetch {
    ExpertSlots::Fetch target;
    int next_part = -1;  // < 0: this is none
    int n_at_work = 0;   // parts that a thread has
    std::optional<Error> error;

    bool is_none() const { return next_part < 0; }
    bool has_parts() const { return !is_none() && next_part < kExpertParts && !error; }
  };

  // A part of it, with a thread.
  struct Part {
    Fetch* fetch = nullptr;  // null: there is none
    ExpertPart part{};
    std::span<std::byte> staging;
    ExpertFiles::ReadPart read{};  // once it is read
    std::optional<Error> error;
  };

  void load_parts(std::span<std::byte> staging);
  Part next_part(std::span<std::byte> staging);
  void end_part(Part& part);
  Fetch* next_fetch();
  Fetch* begin(std::optional<ExpertSlots::Fetch> (ExpertSlots::*next)());
  void end(Fetch& fetch, ExpertSlots::Outcome outcome);
  void wake_readers();
  std::byte* slot(int index) const { return slots_.data() + index * slot_bytes_; }

  const ExpertFiles files_;
  const int64_t slot_bytes_;
  const bool is_mixed_;  // experts of several shapes share slots
  const std::span<std::byte> slots_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable work_, ready_;
  ExpertSlots book_;
  std::vector<Fetch> fetches_;   // as many as can be under way
  std::map<int, Error> errors_;  // of experts whose last fetch failed
  double wait_seconds_ = 0;
  int64_t n_read_bytes_ = 0;
  int n_reads_ = 0;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace paro
