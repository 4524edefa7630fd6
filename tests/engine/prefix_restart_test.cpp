// Prompts whose beginnings are kept on disk: an engine that is opened again finds them, and answers as if it had run
// them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/batch_engine.h"
#include "tests/base/temporary_directory.h"
#include "tests/engine/listener.h"
#include "tests/engine/prompts.h"
#include "tests/models/backends.h"

namespace paro {
namespace {

namespace fs = std::filesystem;
using namespace test;

constexpr int64_t kPlenty = 1 << 30;

struct ModelCase {
  const char* directory;
  int max_context;
};
constexpr ModelCase kDemo{"models/demo", 1024};  // its window is shorter than the prompts below

class Restart {
 public:
  explicit Restart(const ModelCase& model = kDemo, test::BackendCase backend = test::cpu_backends().front())
      : model_(model), backend_(std::move(backend)) {}

  // Closes the one that is open.
  Engine& open(std::optional<int64_t> limit_bytes = kPlenty, int max_batch = 2) {
    engine_.reset();
    EngineOptions options;
    options.model = fs::path(PARO_SOURCE_DIR) / model_.directory;
    options.max_context = model_.max_context;
    options.max_batch = max_batch;
    options.prefill_chunk = 64;
    if (limit_bytes) options.prefix_disk = {directory_.path(), *limit_bytes};
    engine_ = open_engine(options, backend_.make(2));
    return *engine_;
  }
  void close() { engine_.reset(); }

  std::vector<fs::path> files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(directory_.path())) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    return files;
  }
  int64_t n_file_bytes() const {
    int64_t sum = 0;
    for (const fs::path& file : files()) sum += int64_t(fs::file_size(file));
    return sum;
  }

 private:
  const ModelCase model_;
  const test::BackendCase backend_;
  TemporaryDirectory directory_;
  std::unique_ptr<Engine> engine_;
};

class PrefixRestart : public ::testing::TestWithParam<std::tuple<test::BackendCase, ModelCase>> {};

TEST_P(PrefixRestart, ResultsAreTheSameToTheBit) {
  const auto& [backend, model] = GetParam();
  Restart restart(model, backend);
  const int n = model.max_context - 70;
  const std::vector<int32_t> whole = tokens(n, 1);
  const std::vector<int32_t> longer = joined(whole, tokens(40, 2));
  const Generation plain = generate(restart.open(std::nullopt), request_of(whole));
  const Generation plain_longer = generate(restart.open(std::nullopt), request_of(longer));
  EXPECT_TRUE(restart.files().empty());

  expect_same(generate(restart.open(), request_of(whole)), plain);
  const int n_blocks = (n - 1) / kPageTokens;
  for (int round = 0; round < 2; ++round) {
    Engine& engine = restart.open();
    EXPECT_GE(int(restart.files().size()), n_blocks);
    const Generation got = generate(engine, request_of(longer));
    EXPECT_EQ(got.end.n_cached_tokens, (round == 0 ? n : n + 39) / kPageTokens * kPageTokens);
    EXPECT_EQ(engine.status().prefix.n_disk_tokens, got.end.n_cached_tokens);
    expect_same(got, plain_longer);
    const Generation again = generate(engine, request_of(whole));
    EXPECT_EQ(again.end.n_cached_tokens, n_blocks * kPageTokens);
    expect_same(again, plain);
  }
}

std::string name_of(const ::testing::TestParamInfo<PrefixRestart::ParamType>& test) {
  std::string name =
      std::get<0>(test.param).name + "_" + fs::path(std::get<1>(test.param).directory).filename().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// Windows of sliding attention, and layers that share keys and values.
INSTANTIATE_TEST_SUITE_P(Goldens, PrefixRestart,
                         ::testing::Combine(::testing::ValuesIn(test::all_backends()),
                                            ::testing::Values(ModelCase{"tests/goldens/gemma4-moe", 250},
                                                              ModelCase{"tests/goldens/gemma4-e2b", 250})),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Demo, PrefixRestart,
                         ::testing::Combine(::testing::Values(test::cpu_backends().front()), ::testing::Values(kDemo)),
                         name_of);

TEST(PrefixesOnDisk, ADamagedFileEndsABeginningWhereItLies) {
  Restart restart;
  const Generation plain = generate(restart.open(std::nullopt), request_of(tokens(700, 1)));
  generate(restart.open(), request_of(tokens(700, 1)));
  restart.close();
  // Some are cut, and some have a byte changed.
  const std::vector<fs::path> files = restart.files();
  ASSERT_GE(files.size(), 20u);
  for (size_t i = 0; i < files.size(); i += 8) {
    if (i % 16 == 0) {
      fs::resize_file(files[i], fs::file_size(files[i]) / 2);
    } else {
      std::fstream file(files[i], std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(1000);
      file.write("\x55\xaa\x55\xaa\x55\xaa", 6);
    }
  }
  const Generation got = generate(restart.open(), request_of(tokens(700, 1)));
  EXPECT_LT(got.end.n_cached_tokens, 700 / kPageTokens * kPageTokens);
  expect_same(got, plain);
  // Those behind it are found one by one, and written anew.
  int n_cached = 0;
  for (size_t i = 0; i < files.size() && n_cached < 699 / kPageTokens * kPageTokens; ++i) {
    const Generation mended = generate(restart.open(), request_of(tokens(700, 1)));
    EXPECT_GE(mended.end.n_cached_tokens, n_cached);
    n_cached = mended.end.n_cached_tokens;
    expect_same(mended, plain);
  }
  EXPECT_EQ(n_cached, 699 / kPageTokens * kPageTokens);
}

TEST(PrefixesOnDisk, TheLimitHoldsAndWhatIsLeftIsOfUse) {
  Restart restart;
  generate(restart.open(), request_of(tokens(320, 1), 1));
  restart.close();
  const int64_t limit = 2 * restart.n_file_bytes();
  Engine& engine = restart.open(limit);
  for (uint32_t seed = 1; seed < 6; ++seed) generate(engine, request_of(tokens(320, seed), 1));
  restart.close();
  EXPECT_LE(restart.n_file_bytes(), limit);
  const Engine& again = restart.open(limit);
  EXPECT_LE(again.status().prefix.n_disk_bytes, limit);
  EXPECT_EQ(again.status().prefix.disk_limit_bytes, limit);
  EXPECT_GT(generate(restart.open(limit), request_of(tokens(320, 5), 1)).end.n_cached_tokens, 0);
}

// Many at once, in few pages: blocks are read, run, given up and written in every order.
TEST(PrefixesOnDisk, AnswersAreThoseOfEachAloneWhateverComesAtOnce) {
  Restart restart;
  std::vector<std::vector<int32_t>> prompts;
  uint32_t seed = 5;
  for (int i = 0; i < 40; ++i) {
    seed = seed * 1664525u + 1013904223u;
    const std::vector<int32_t> known = tokens(100 + int(seed >> 8) % 500, (seed >> 20) % 4);
    prompts.push_back(joined(known, tokens(1 + int(seed >> 16) % 30, seed)));
  }
  std::vector<Generation> plain;
  Engine& without = restart.open(std::nullopt);
  for (size_t i = 0; i < prompts.size(); i += 5) plain.push_back(generate(without, request_of(prompts[i], 8)));
  for (int round = 0; round < 2; ++round) {
    Engine& engine = restart.open(kPlenty, 3);
    std::vector<std::shared_ptr<Listener>> listeners;
    for (const auto& prompt : prompts) {
      listeners.push_back(std::make_shared<Listener>());
      const GenerationId id = engine.submit(request_of(prompt, 8), listeners.back());
      if (listeners.size() % 7 == 3) engine.cancel(id);
    }
    for (size_t i = 0; i < prompts.size(); ++i) {
      const FinishReason reason = listeners[i]->wait().reason;
      if (i % 7 == 2) continue;  // cancelled, or done before
      ASSERT_EQ(reason, FinishReason::length) << i;
      if (i % 5 != 0) continue;
      EXPECT_EQ(listeners[i]->tokens(), ids_of(plain[i / 5])) << i;
    }
    EXPECT_EQ(engine.status().prefix.n_disk_tokens > 0, round == 1);
  }
}

TEST(PrefixesOnDisk, TwoEnginesOfOneModelDoNotShareADirectory) {
  TemporaryDirectory directory;
  EngineOptions options;
  options.model = fs::path(PARO_SOURCE_DIR) / kDemo.directory;
  options.max_context = 256;
  options.prefix_disk = {directory.path(), kPlenty};
  const auto backend = test::cpu_backends().front();
  const auto engine = open_engine(options, backend.make(1));
  EXPECT_THROW(open_engine(options, backend.make(1)), Error);
}

TEST(PrefixesOnDisk, AreRefusedWhereNothingCanBeKept) {
  TemporaryDirectory directory;
  EngineOptions options;
  options.model = fs::path(PARO_SOURCE_DIR) / kDemo.directory;
  options.prefix_disk = {directory.path(), 100};
  const auto backend = test::cpu_backends().front();
  EXPECT_THROW(open_engine(options, backend.make(1)), Error) << "no file is so small";
  options.prefix_disk->limit_bytes = kPlenty;
  options.prefix_cache_bytes = 0;
  EXPECT_THROW(open_engine(options, backend.make(1)), Error) << "there is no prefix cache";
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

}  // namespace
}  // namespace paro
