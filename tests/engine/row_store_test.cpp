// Embeddings that are read from the model's files: the rows, what goes wrong, and models that run so.
#include "engine/row_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "engine/model_runner.h"
#include "tensor/buffer.h"
#include "tests/base/page_cache.h"
#include "tests/base/temporary_directory.h"
#include "tests/models/backends.h"
#include "tests/models/golden.h"

namespace paro::test {
namespace {

// Two tables at odd offsets of one file.
class StoredTables {
 public:
  static constexpr int64_t kRows = 500;

  StoredTables() : path_(directory_.path() / "model.safetensors") {
    std::mt19937 random(1);
    const auto add = [&](const char* name, DType dtype, const Shape& shape) {
      auto& content = contents_.emplace_back(size_t(shape.n_elements() * size_bytes(dtype)));
      for (std::byte& b : content) b = std::byte(random());
      return TensorToWrite{name, dtype, shape, [&content](const auto& sink) { sink(content); }};
    };
    contents_.reserve(3);
    const std::vector<TensorToWrite> tensors{add("odd", DType::u8, {3}), add("wide", DType::bf16, {kRows, 8960}),
                                             add("narrow", DType::f32, {kRows, 5})};
    write_safetensors(path_, tensors);
    files_ = SafetensorsFiles::open_file(path_);
  }

  const SafetensorsFiles& files() const { return *files_; }
  const std::filesystem::path& path() const { return path_; }

  std::vector<RowTable> tables() const {
    return {{"wide", {kRows, 8960, StoredFormat::bf16, TableType::as_stored}, files_->find("wide")},
            {"narrow", {kRows, 5, StoredFormat::f32, TableType::as_stored}, files_->find("narrow")}};
  }

  std::vector<std::byte> rows(int table, const std::vector<int32_t>& ids) const {
    const auto& content = contents_[size_t(table) + 1];
    const auto row_bytes = int64_t(content.size()) / kRows;
    std::vector<std::byte> out;
    for (const int32_t id : ids) {
      const auto row = content.begin() + id * row_bytes;
      out.insert(out.end(), row, row + row_bytes);
    }
    return out;
  }

 private:
  const TemporaryDirectory directory_;
  const std::filesystem::path path_;
  std::vector<std::vector<std::byte>> contents_;  // of all tensors
  std::optional<SafetensorsFiles> files_;
};

// A store with its staging.
struct Opened {
  Buffer staging;
  RowStore store;

  Opened(const StoredTables& stored, int max_rows)
      : staging(RowStore::staging_bytes(stored.tables(), max_rows), "staging"),
        store(files_of(stored), staging.bytes(), max_rows) {
    store.set(stored.tables());
  }

  static std::vector<File> files_of(const StoredTables& stored) {
    std::vector<File> files;
    files.emplace_back(stored.path());
    return files;
  }

  std::vector<std::byte> read(const StoredTables& stored, int table, const std::vector<int32_t>& ids) {
    std::vector<std::byte> out(ids.size() * size_t(stored.tables()[size_t(table)].spec.stored_row_bytes()));
    store.read_rows(table, ids, out);
    return out;
  }
};

TEST(RowStore, ReadsTheRowsThatAreAskedForInTheirOrder) {
  const StoredTables stored;
  for (const bool from_disk : {false, true}) {
    if (from_disk && !drop_from_memory(stored.path())) GTEST_SKIP() << "files cannot be dropped from memory here";
    for (const int max_rows : {1, 3, 512}) {
      Opened opened(stored, max_rows);
      std::mt19937 random(2);
      for (const int table : {0, 1, 0}) {
        for (int n = 0; n <= max_rows; n = 3 * n + 1) {
          std::vector<int32_t> ids;
          for (int i = 0; i < n; ++i) ids.push_back(int32_t(random() % StoredTables::kRows));
          EXPECT_TRUE(opened.read(stored, table, ids) == stored.rows(table, ids)) << n << " of table " << table;
        }
      }
    }
  }
}

TEST(RowStore, ReadsTheFirstTheLastAndTheSameRowAgain) {
  const StoredTables stored;
  Opened opened(stored, 8);
  constexpr int32_t kLast = StoredTables::kRows - 1;
  for (const int table : {0, 1}) {
    for (const std::vector<int32_t>& ids :
         {std::vector<int32_t>{0}, {kLast}, {7, 7}, {kLast, 0, kLast, 0}, {5, 5, 5, 5, 5, 5, 5, 5}}) {
      EXPECT_TRUE(opened.read(stored, table, ids) == stored.rows(table, ids));
    }
  }
}

TEST(RowStore, NamesFileAndTensorThatEndTooSoon) {
  const StoredTables stored;
  Opened opened(stored, 8);
  std::filesystem::resize_file(stored.path(), 4 << 20);
  EXPECT_TRUE(opened.read(stored, 0, {3, 50}) == stored.rows(0, {3, 50}));
  for (const std::vector<int32_t>& ids : {std::vector<int32_t>{400}, {3, 400, 1, 2, 410}}) {
    EXPECT_TRUE(contains(error_of(ErrorKind::io, [&] { opened.read(stored, 0, ids); }),
                         {"'wide'", "model.safetensors", "ends at byte"}));
  }
  EXPECT_TRUE(opened.read(stored, 0, {3, 50}) == stored.rows(0, {3, 50}));
}

class RowsOnDisk : public ::testing::TestWithParam<BackendCase> {
 protected:
  static EngineOptions options(EmbeddingSource source) {
    EngineOptions options;
    options.model = std::filesystem::path(PARO_SOURCE_DIR) / "tests/goldens/gemma4-e2b";
    options.memory_budget_bytes = 1 << 30;
    options.max_context = 64;
    options.max_batch = 2;
    options.prefill_chunk = 64;
    options.max_logit_rows = 64;
    options.embedding_source = source;
    return options;
  }

  // Of a prompt in two chunks and some tokens after it.
  static std::vector<float> logits(ModelRunner& runner, const std::vector<int32_t>& ids) {
    const int n = int(ids.size()), slot = runner.cache().open(n);
    std::vector<float> all;
    for (int begin = 0; begin < n;) {
      const int end = begin < n - 5 ? std::min(begin + 20, n - 5) : begin + 1;
      runner.cache().extend(slot, begin, end);
      std::vector<StepRow> rows;
      for (int i = begin; i < end; ++i) rows.push_back({ids[size_t(i)], i, slot, true});
      const Tensor out = runner.run(rows);
      all.insert(all.end(), out.f32(), out.f32() + out.n_elements());
      begin = end;
    }
    runner.cache().close(slot);
    return all;
  }

  static int64_t bytes_of(const MemoryReport& report, const char* name) {
    const auto found = std::find_if(report.classes.begin(), report.classes.end(),
                                    [&](const MemoryClass& c) { return c.name == name; });
    return found == report.classes.end() ? 0 : found->plan_bytes;
  }
};

TEST_P(RowsOnDisk, LogitsAreThoseOfTablesInMemory) {
  const Golden golden = Golden::load("gemma4-e2b");
  for (const TableType type : {TableType::as_stored, TableType::int8, TableType::int4}) {
    EngineOptions in_memory = options(EmbeddingSource::memory), on_disk = options(EmbeddingSource::disk);
    in_memory.embedding_type = on_disk.embedding_type = type;
    ModelRunner resident(in_memory, GetParam().make(2)), reading(on_disk, GetParam().make(2));
    EXPECT_TRUE(logits(resident, golden.input_ids) == logits(reading, golden.input_ids)) << int(type);
    EXPECT_LT(bytes_of(reading.report(), memory_class::kWeights), bytes_of(resident.report(), memory_class::kWeights));
  }
}

TEST_P(RowsOnDisk, WhatIsTakenIsWhatWasPlanned) {
  const ModelRunner runner(options(EmbeddingSource::disk), GetParam().make(2));
  EXPECT_GT(bytes_of(runner.report(), memory_class::kEmbeddingStaging), 0);
  for (const MemoryClass& c : runner.report().classes) {
    if (c.name == memory_class::kProgram) continue;
    EXPECT_EQ(c.actual_bytes, c.plan_bytes) << c.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, RowsOnDisk, ::testing::ValuesIn(all_backends()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace paro::test
