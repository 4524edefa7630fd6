// Sequences that share pages with each other and with files, in real memory: whatever they do, and whatever happens to
// the files, each sees its own tokens.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <optional>
#include <ostream>
#include <random>

#include "backends/reference/reference_backend.h"
#include "engine/kv_cache.h"
#include "tensor/buffer.h"
#include "tests/base/temporary_directory.h"

namespace paro {
namespace {

constexpr int kWindow = 72, kChunk = 48, kContext = 320, kBatch = 3;
constexpr PrefixKey kFingerprint{1, 2};

struct Layers {
  const char* name;
  std::vector<CacheKind> kinds;
  friend void PrintTo(const Layers& layers, std::ostream* out) { *out << layers.name; }
};

class StoredBeginnings : public ::testing::TestWithParam<Layers> {
 protected:
  StoredBeginnings() : backend_(make_reference_backend()) {
    for (const CacheKind kind : GetParam().kinds) {
      spec_.kv_layers.push_back({1, 4, kind});
      slides_ |= kind == CacheKind::sliding;
    }
    if (slides_) spec_.sliding_window = kWindow;
    layout_.emplace(*backend_, spec_, KvType::f32, kContext, kBatch, kChunk, std::nullopt);
  }

  void open(int64_t limit_bytes = 1 << 30) {
    cache_.reset();
    memory_.emplace(layout_->n_bytes, "test");
    cache_.emplace(*backend_, spec_, KvType::f32, *layout_, memory_->bytes());
    cache_->keep_on_disk(PrefixDirectory(directory_.path(), kFingerprint), limit_bytes);
  }

  struct Run {
    int slot = -1;
    std::vector<int32_t> tokens;
    int n_cached = 0;
  };

  // Stands for keys and values: all tokens up to the position decide on them.
  static uint64_t written(const Run& run, int position, size_t layer) {
    uint64_t hash = layer + 1;
    for (int i = 0; i <= position; ++i) hash = hash * 0x9e3779b97f4a7c15u + uint64_t(run.tokens[size_t(i)]) + 1;
    return hash;
  }

  std::byte* place(const Run& run, int position, size_t layer) {
    const KvLayer& kv = cache_->layers()[layer];
    const int32_t page = cache_->tables()[size_t(kv.kind)].page(run.slot, position);
    EXPECT_GE(page, 0) << "position " << position << " of layer " << layer;
    const int64_t page_bytes = backend_->page_bytes(kv.spec);
    return kv.pages + page * page_bytes + position % kPageTokens * (page_bytes / kPageTokens);
  }

  void start(Run& run) {
    run.slot = cache_->open(int(run.tokens.size()), KvCache::Sharing::both);
    run.n_cached = 0;
  }

  // As a scheduler would: nothing is run while something is read.
  void step(Run& run, int n) {
    const int before = run.n_cached;
    run.n_cached = cache_->reuse(run.slot, run.tokens, run.n_cached);
    n_reused_ += run.n_cached - before;
    if (cache_->is_reading(run.slot)) return;
    const int end = std::min(run.n_cached + n, int(run.tokens.size()));
    cache_->extend(run.slot, run.n_cached, end);
    for (size_t layer = 0; layer < spec_.kv_layers.size(); ++layer) {
      for (int p = run.n_cached; p < end; ++p) {
        const uint64_t value = written(run, p, layer);
        std::memcpy(place(run, p, layer), &value, sizeof(value));
      }
      const bool slides = spec_.kv_layers[layer].kind == CacheKind::sliding;
      for (int p = slides ? std::max(0, run.n_cached - kWindow + 1) : 0; p < end; ++p) {
        uint64_t seen = 0;
        std::memcpy(&seen, place(run, p, layer), sizeof(seen));
        ASSERT_EQ(seen, written(run, p, layer)) << "position " << p << " of layer " << layer;
      }
    }
    while (run.n_cached < end) {
      if (++run.n_cached % kPageTokens != 0) continue;
      const auto block = std::span(run.tokens).subspan(size_t(run.n_cached - kPageTokens)).first<size_t(kPageTokens)>();
      cache_->name_block(run.slot, block);
    }
  }

  void run_all(Run& run) {
    start(run);
    while (run.n_cached < int(run.tokens.size())) {
      cache_->allow_reading(kChunk);
      step(run, kChunk);
    }
    cache_->close(run.slot);
  }

  // Those that are whole: without one that is being written, nothing is written any more.
  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path() / kFingerprint.hex())) {
      if (entry.path().extension().empty()) files.push_back(entry.path());
    }
    return files;
  }

  test::TemporaryDirectory directory_;
  std::unique_ptr<Backend> backend_;
  ModelSpec spec_;
  bool slides_ = false;
  std::optional<KvLayout> layout_;
  std::optional<Buffer> memory_;
  std::optional<KvCache> cache_;
  int64_t n_reused_ = 0;
};

std::vector<int32_t> tokens_of(int n, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int32_t> tokens;
  for (int i = 0; i < n; ++i) tokens.push_back(int32_t(random() % 1000));
  return tokens;
}

TEST_P(StoredBeginnings, ARestartedCacheHasWhatWasNamed) {
  open();
  Run run{.slot = -1, .tokens = tokens_of(300, 1)};
  run_all(run);
  open();
  n_reused_ = 0;
  run_all(run);
  EXPECT_EQ(n_reused_, 288);
  EXPECT_EQ(cache_->n_read_tokens(), 288);
  run_all(run);
  EXPECT_EQ(n_reused_, 2 * 288);
  EXPECT_EQ(cache_->n_read_tokens(), 288) << "it is in memory by now";
}

TEST_P(StoredBeginnings, AStepReadsNoMoreThanItMay) {
  open();
  Run run{.slot = -1, .tokens = tokens_of(300, 1)};
  run_all(run);
  open();
  start(run);
  int n_steps = 0;
  do {
    cache_->allow_reading(1);  // a page all the same, or it would never end
    const int64_t before = cache_->n_read_tokens();
    step(run, 1);
    EXPECT_LE(cache_->n_read_tokens() - before, kPageTokens);
    ++n_steps;
  } while (cache_->is_reading(run.slot));
  EXPECT_GE(n_steps, slides_ ? 9 + 3 : 9);
  cache_->close(run.slot);
}

TEST_P(StoredBeginnings, WhoEndsWhileReadingLeavesNothingInUse) {
  open();
  Run run{.slot = -1, .tokens = tokens_of(300, 1)};
  run_all(run);
  for (int n_read = 1; n_read < 14; ++n_read) {
    open();
    start(run);
    for (int i = 0; i < n_read; ++i) {
      cache_->allow_reading(kPageTokens);
      step(run, 1);
    }
    cache_->close(run.slot);
    // All pages can be had again.
    std::vector<Run> others(kBatch);
    for (int i = 0; i < kBatch; ++i) {
      others[size_t(i)].tokens = tokens_of(kContext, uint32_t(100 + i));
      ASSERT_TRUE(cache_->can_reserve(kContext));
      start(others[size_t(i)]);
    }
    for (int i = 0; i < kContext / kChunk + 1; ++i) {
      for (Run& other : others) {
        if (other.n_cached < kContext) step(other, kChunk);
      }
    }
  }
}

TEST_P(StoredBeginnings, EachSequenceSeesItsOwnTokensWhateverTheOthersDo) {
  std::mt19937 random(3);
  const auto below = [&](int n) { return int(random() % uint32_t(n)); };
  std::vector<Run> runs;
  const int64_t file_bytes = PrefixDisk::file_bytes(1);
  int64_t n_read_tokens = 0;
  for (int round = 0; round < 6; ++round) {
    open(round % 2 == 0 ? 1 << 30 : 20 * file_bytes);
    runs.clear();
    for (int i = 0; i < 1500; ++i) {
      cache_->allow_reading(below(3) * kPageTokens);
      if (below(40) == 0) {
        // Somebody else removes or damages a file.
        const auto all = files();
        if (!all.empty()) {
          const auto& file = all[size_t(below(int(all.size())))];
          std::error_code gone;
          if (below(2) == 0) {
            std::filesystem::remove(file, gone);
          } else {
            std::filesystem::resize_file(file, uintmax_t(below(2000)), gone);
          }
        }
      }
      if (int(runs.size()) < kBatch && below(3) == 0) {
        Run run;
        run.tokens = tokens_of(below(kContext - 40), uint32_t(below(4)));
        for (const int32_t token : tokens_of(1 + below(40), uint32_t(below(1000)))) run.tokens.push_back(token);
        if (!cache_->can_reserve(int(run.tokens.size()))) continue;
        start(run);
        runs.push_back(std::move(run));
      }
      if (runs.empty()) continue;
      const size_t chosen = size_t(below(int(runs.size())));
      Run& run = runs[chosen];
      step(run, 1 + below(kChunk));
      if (HasFatalFailure()) return;
      if (run.n_cached < int(run.tokens.size()) && below(30) > 0) continue;
      cache_->close(run.slot);
      runs.erase(runs.begin() + int64_t(chosen));
    }
    n_read_tokens += cache_->n_read_tokens();
  }
  EXPECT_GT(n_read_tokens, 0);
  EXPECT_GT(n_reused_, 10000);
}

INSTANTIATE_TEST_SUITE_P(Layers, StoredBeginnings,
                         ::testing::Values(Layers{"full", {CacheKind::full, CacheKind::full}},
                                           Layers{"sliding",
                                                  {CacheKind::sliding, CacheKind::full, CacheKind::sliding}}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace paro
