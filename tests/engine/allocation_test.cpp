// A decode step allocates nothing, and a request no tensor memory: counted at operator new.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "engine/batch_engine.h"
#include "tests/models/backends.h"
#include "tests/models/golden.h"

namespace {

std::atomic<int64_t> n_allocations{0};
std::atomic<int64_t> largest_bytes{0};

void* counted(size_t n_bytes) {
  ++n_allocations;
  int64_t seen = largest_bytes.load();
  while (seen < int64_t(n_bytes) && !largest_bytes.compare_exchange_weak(seen, int64_t(n_bytes))) {
  }
  if (void* memory = std::malloc(n_bytes)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(size_t n_bytes) { return counted(n_bytes); }
void* operator new[](size_t n_bytes) { return counted(n_bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace paro {
namespace {

using test::Golden;

class Allocation : public ::testing::TestWithParam<test::BackendCase> {
 protected:
  static EngineOptions options(const Golden& golden) {
    EngineOptions options;
    options.model = golden.directory;
    options.max_context = 256;
    options.max_batch = 2;
    options.prefill_chunk = 64;
    return options;
  }

  // 100 steps of one token, after a prompt.
  static int64_t allocations_of_decoding(const Golden& golden, const EngineOptions& options,
                                         std::unique_ptr<Backend> backend) {
    ModelRunner runner(options, std::move(backend));
    const int n = int(golden.input_ids.size());
    const int slot = runner.cache().open(n + 101);
    std::vector<StepRow> rows;
    for (int i = 0; i < n; ++i) rows.push_back({golden.input_ids[size_t(i)], i, slot, i + 1 == n});
    runner.cache().extend(slot, 0, n);
    runner.run(rows);
    rows.resize(1);
    const int64_t before = n_allocations;
    for (int i = n; i < n + 100; ++i) {
      rows[0] = {5, i, slot, true, i % 2};  // all logits, and the best alone
      runner.cache().extend(slot, i, i + 1);
      runner.run(rows);
    }
    return n_allocations - before;
  }
};

TEST_P(Allocation, ADecodeStepAllocatesNothing) {
  const Golden golden = Golden::load("gemma4-moe");
  EXPECT_EQ(allocations_of_decoding(golden, options(golden), GetParam().make(2)), 0);
}

TEST_P(Allocation, ADecodeStepThatReadsRowsAllocatesNothing) {
  const Golden golden = Golden::load("gemma4-e2b");
  EngineOptions on_disk = options(golden);
  on_disk.embedding_source = EmbeddingSource::disk;
  EXPECT_EQ(allocations_of_decoding(golden, on_disk, GetParam().make(2)), 0);
}

TEST_P(Allocation, ARequestTakesNoTensorMemory) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open_engine(options(golden), GetParam().make(2));
  GenerationRequest request;
  request.prompt = golden.input_ids;
  request.max_tokens = 100;
  request.sampling.top_p = 0.9f;
  generate(*engine, request);
  const MemoryReport before = engine->memory();
  largest_bytes = 0;
  for (int i = 0; i < 3; ++i) generate(*engine, request);
  // The listener's list of tokens is the largest thing that a request grows; logits of one row are 1.5 KB here, a page
  // of the cache 16 KB, the arena far more.
  EXPECT_LE(largest_bytes, int64_t(128 * sizeof(SampledToken)));
  const MemoryReport after = engine->memory();
  for (size_t i = 0; i < before.classes.size(); ++i) {
    EXPECT_EQ(before.classes[i].actual_bytes, after.classes[i].actual_bytes) << before.classes[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Allocation, ::testing::ValuesIn(test::all_backends()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace paro
