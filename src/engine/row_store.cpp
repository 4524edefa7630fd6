#include "engine/row_store.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace paro {
namespace {

int n_readers(int max_rows) { return std::clamp(max_rows, 1, RowStore::kReaders); }

int64_t index_bytes(int max_rows) { return 2 * max_rows * int64_t(sizeof(int32_t)); }

}  // namespace

int64_t RowStore::row_room_bytes(std::span<const RowTable> tables) {
  int64_t largest = 0;
  for (const RowTable& table : tables) largest = std::max(largest, table.spec.stored_row_bytes());
  return StoredReader::room_bytes(largest);
}

int64_t RowStore::staging_bytes(std::span<const RowTable> tables, int max_rows) {
  return row_room_bytes(tables) * n_readers(max_rows) + index_bytes(max_rows);
}

RowStore::RowStore(std::vector<File> files, std::span<std::byte> staging, int max_rows)
    : files_(std::move(files)), reader_(files_), threads_(n_readers(max_rows)), staging_(staging) {
  PARO_CHECK(int64_t(staging.size()) >= index_bytes(max_rows), "staging of {} bytes for {} rows", staging.size(),
             max_rows);
  auto* const indices = reinterpret_cast<int32_t*>(staging.data() + staging.size() - size_t(index_bytes(max_rows)));
  order_ = {indices, size_t(max_rows)};
  runs_ = {indices + max_rows, size_t(max_rows)};
}

void RowStore::set(std::span<const RowTable> tables) {
  PARO_CHECK(staging_bytes(tables, int(order_.size())) <= int64_t(staging_.size()), "staging of {} bytes",
             staging_.size());
  tables_.clear();
  room_bytes_ = row_room_bytes(tables);
  for (const RowTable& table : tables) tables_.push_back({table.name, *table.rows, table.spec.stored_row_bytes()});
}

void RowStore::read_rows(int table, std::span<const int32_t> ids, std::span<std::byte> rows) {
  const Rows& from = tables_[size_t(table)];
  const int64_t row_bytes = from.row_bytes;
  PARO_CHECK(ids.size() <= order_.size() && int64_t(rows.size()) >= int64_t(ids.size()) * row_bytes,
             "{} rows in {} bytes", ids.size(), rows.size());
  const auto order = order_.first(ids.size());
  std::iota(order.begin(), order.end(), 0);
  // By id: equal ones stand together, and the disk is asked in ascending order.
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return ids[size_t(a)] < ids[size_t(b)]; });
  int64_t n_runs = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || ids[size_t(order[i])] != ids[size_t(order[i - 1])]) runs_[size_t(n_runs++)] = int32_t(i);
  }

  std::atomic<int64_t> next{0};
  const auto read_runs = [&](int reader, int) {
    const auto own = staging_.subspan(size_t(reader * room_bytes_), size_t(room_bytes_));
    for (int64_t run = next++; run < n_runs; run = next++) {
      const size_t begin = size_t(runs_[size_t(run)]);
      const size_t end = run + 1 < n_runs ? size_t(runs_[size_t(run) + 1]) : order.size();
      std::byte* const row = rows.data() + order[begin] * row_bytes;
      read_row(from, ids[size_t(order[begin])], own, row);
      for (size_t i = begin + 1; i < end; ++i) {
        std::memcpy(rows.data() + order[i] * row_bytes, row, size_t(row_bytes));
      }
    }
  };
  if (n_runs > 1) {
    threads_.run(read_runs);
  } else {
    read_runs(0, 1);
  }
}

void RowStore::read_row(const Rows& table, int32_t id, std::span<std::byte> staging, std::byte* row) const {
  try {
    const std::byte* stored = reader_.read(table.tensor, id * table.row_bytes, table.row_bytes, staging);
    std::memcpy(row, stored, size_t(table.row_bytes));
  } catch (const Error& error) {
    throw error.in(fmt::format("row {} of '{}'", id, table.name));
  }
}

}  // namespace paro
