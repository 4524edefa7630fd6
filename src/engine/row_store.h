// Rows of tables that are not in memory: read from the model's files when a step looks them up, the distinct ones of it
// by several threads at once. What the system has cached is copied, the rest is read past its cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/thread_pool.h"
#include "engine/stored_reader.h"
#include "models/weight_binder.h"
#include "ops/row_source.h"

namespace paro {

class RowStore final : public RowSource {
 public:
  // Threads that read at once, the caller among them: a row is too small for one to keep a disk busy.
  static constexpr int kReaders = 8;

  // Memory that it works in, for look-ups of at most max_rows.
  static int64_t staging_bytes(std::span<const RowTable> tables, int max_rows);

  // `staging` begins with a page, and is there as long as the store. Throws Error{usage} when the system gives no
  // threads.
  RowStore(std::vector<File> files, std::span<std::byte> staging, int max_rows);

  // Tables by their place in `tables`, which are bound to the same files.
  void set(std::span<const RowTable> tables);

  void read_rows(int table, std::span<const int32_t> ids, std::span<std::byte> rows) override;

 private:
  struct Rows {
    std::string name;
    StoredTensor tensor;
    int64_t row_bytes = 0;
  };
  static int64_t row_room_bytes(std::span<const RowTable> tables);

  void read_row(const Rows& table, int32_t id, std::span<std::byte> staging, std::byte* row) const;

  const std::vector<File> files_;
  StoredReader reader_;
  ThreadPool threads_;
  std::vector<Rows> tables_;
  std::span<std::byte> staging_;  // [threads, room_bytes_]
  int64_t room_bytes_ = 0;
  std::span<int32_t> order_;  // [max_rows] places of a look-up, by id
  std::span<int32_t> runs_;   // [max_rows] where in order_ each id begins
};

}  // namespace paro
