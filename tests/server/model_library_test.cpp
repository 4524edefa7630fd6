// Which model is loaded when, what gives way, and who waits.
#include "server/model_library.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>

#include "server/api_error.h"
#include "server/metrics.h"
#include "tests/server/fake_engine.h"
#include "tests/server/server_fixture.h"

namespace paro::server {
namespace {

using namespace std::chrono_literals;
using Lease = ModelLibrary::Lease;
using State = ModelLibrary::State;

constexpr auto kSoon = 10s;  // on a busy machine

class ModelLibraryTest : public ::testing::Test {
 protected:
  // Models of these sizes, in room for so much.
  void make(const std::map<std::string, int64_t>& sizes, int64_t room_bytes, bool any_name = false) {
    std::vector<ServableModel> models;
    for (const auto& each : sizes) {
      const std::string& id = each.first;
      models.push_back({.id = id,
                        .alias = id + "-alias",
                        .plan_bytes = each.second,
                        .load = [this, id](const std::function<void()>& go_on) { return load(id, go_on); }});
    }
    library = std::make_unique<ModelLibrary>(
        std::move(models), ModelLibrary::Limits{.room_bytes = room_bytes, .max_waiting = 4, .any_name = any_name},
        std::make_shared<Metrics>());
  }

  LoadedModel load(const std::string& id, const std::function<void()>& go_on) {
    const auto end = std::chrono::steady_clock::now() + load_time;
    for (; std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(1ms)) go_on();
    const std::lock_guard lock(mutex);
    loads.push_back(id);
    if (failures[id]-- > 0) throw Error(ErrorKind::checkpoint, "'{}' is broken", id);
    auto engine = std::make_shared<FakeEngine>();
    engine->model_info.vocab_size = demo_tokenizer().vocab_size();
    return {{}, {.id = id, .engine = *engine, .tokenizer = demo_tokenizer()}, engine};
  }

  Lease ask(std::string_view name) {
    return library->lease(name, std::make_shared<Wakeup>(boost::asio::make_strand(io)));
  }

  static bool comes(const Lease& lease, std::chrono::milliseconds most = kSoon) {
    const auto end = std::chrono::steady_clock::now() + most;
    while (lease.is_waiting() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
    return !lease.is_waiting();
  }

  void use(std::string_view name) {
    const Lease lease = ask(name);
    ASSERT_TRUE(comes(lease)) << name;
    EXPECT_EQ(lease.service().model.id, name);
  }

  std::string loaded_ids() const {
    std::string ids;
    for (const auto& status : library->models())
      if (status.state == State::loaded) ids += status.model.id;
    return ids;
  }

  std::vector<std::string> loads_so_far() {
    const std::lock_guard lock(mutex);
    return loads;
  }

  ApiError refusal(std::string_view name) {
    try {
      ask(name);
    } catch (const ApiError& error) {
      return error;
    }
    ADD_FAILURE() << "'" << name << "' is not refused";
    return ApiError(200, "", "", "");
  }

  boost::asio::io_context io;
  std::mutex mutex;  // guards loads and failures
  std::vector<std::string> loads;
  std::map<std::string, int> failures;  // loads that are to fail
  std::chrono::milliseconds load_time{0};
  std::unique_ptr<ModelLibrary> library;
};

using Loads = std::vector<std::string>;

TEST_F(ModelLibraryTest, WhatIsAskedForIsLoadedOnceAndStaysWhileThereIsRoom) {
  make({{"a", 10}, {"b", 10}}, 20);
  EXPECT_EQ(loaded_ids(), "");
  for (int i = 0; i < 3; ++i) {
    use("a");
    use("b");
  }
  EXPECT_EQ(loads_so_far(), (Loads{"a", "b"}));
  EXPECT_EQ(library->loaded().size(), 2u);
}

TEST_F(ModelLibraryTest, TheOneThatWasNotUsedForLongestGivesWay) {
  make({{"a", 10}, {"b", 10}, {"c", 10}}, 20);
  use("a");
  use("b");
  use("a");
  use("c");
  EXPECT_EQ(loaded_ids(), "ac");
}

TEST_F(ModelLibraryTest, AsManyGiveWayAsTheirBytesTake) {
  make({{"a", 10}, {"b", 10}, {"c", 25}, {"d", 5}}, 30);
  use("a");
  use("b");
  use("d");
  use("c");
  EXPECT_EQ(loaded_ids(), "cd");
}

TEST_F(ModelLibraryTest, OneAtWorkFinishesBeforeItGivesWayAndThenWaitsForItsTurn) {
  make({{"a", 10}, {"b", 10}}, 10);
  std::optional<Lease> at_work(ask("a"));
  ASSERT_TRUE(comes(*at_work));
  std::optional<Lease> next(ask("b"));
  EXPECT_FALSE(comes(*next, 30ms));
  const Lease late = ask("a");
  EXPECT_FALSE(comes(late, 30ms)) << "it would hold its place for ever";
  EXPECT_EQ(at_work->service().model.id, "a");
  at_work.reset();
  ASSERT_TRUE(comes(*next));
  EXPECT_FALSE(comes(late, 30ms));
  next.reset();
  ASSERT_TRUE(comes(late));
  EXPECT_EQ(loads_so_far(), (Loads{"a", "b", "a"}));
}

TEST_F(ModelLibraryTest, ThoseThatNeedNotGoAreNotDisturbed) {
  make({{"a", 10}, {"b", 10}, {"c", 10}}, 20);
  const Lease busy = ask("a");
  ASSERT_TRUE(comes(busy));
  std::optional<Lease> also_busy(ask("b"));
  ASSERT_TRUE(comes(*also_busy));
  const Lease more = ask("a");  // used later than b
  const Lease next = ask("c");
  EXPECT_FALSE(comes(next, 30ms));
  EXPECT_FALSE(ask("a").is_waiting());
  also_busy.reset();
  EXPECT_TRUE(comes(next));
  EXPECT_EQ(loaded_ids(), "ac");
}

TEST_F(ModelLibraryTest, WhenNobodyWaitsAnyMoreAllStaysAsItIs) {
  make({{"a", 10}, {"b", 10}}, 10);
  const Lease busy = ask("a");
  ASSERT_TRUE(comes(busy));
  std::optional<Lease> next(ask("b"));
  EXPECT_FALSE(comes(*next, 30ms));
  const Lease late = ask("a");
  EXPECT_FALSE(comes(late, 30ms));
  next.reset();
  EXPECT_TRUE(comes(late));
  EXPECT_EQ(loads_so_far(), Loads{"a"});
}

TEST_F(ModelLibraryTest, AFailureIsToldToThoseWhoWaitedAndIsNotForEver) {
  make({{"a", 10}, {"b", 10}}, 20);
  failures["a"] = 1;
  const Lease lease = ask("a");
  ASSERT_TRUE(comes(lease));
  try {
    lease.service();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "'a' is broken");
  }
  EXPECT_EQ(loaded_ids(), "");
  use("b");
  use("a");
}

TEST_F(ModelLibraryTest, ALoadIsGivenUpWhenTheLibraryEnds) {
  load_time = kSoon;
  make({{"a", 10}}, 20);
  {
    const Lease lease = ask("a");
    while (library->models()[0].state != State::loading) std::this_thread::sleep_for(1ms);
  }
  const auto start = std::chrono::steady_clock::now();
  library.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, kSoon / 2);
  EXPECT_EQ(loads_so_far(), Loads());
}

TEST_F(ModelLibraryTest, OneThatNeverFitsIsRefusedWithTheNumbers) {
  make({{"a", 10}, {"b", 31}}, 30);
  const ApiError error = refusal("b");
  EXPECT_EQ(error.status, 400u);
  EXPECT_EQ(error.code, "memory_plan_exceeded");
  EXPECT_NE(error.message.find("31 bytes"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("30 are"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("--memory-budget"), std::string::npos) << error.message;
  use("a");
}

TEST_F(ModelLibraryTest, TooManyWhoWaitAreRefused) {
  make({{"a", 10}, {"b", 10}}, 10);
  const Lease busy = ask("a");
  ASSERT_TRUE(comes(busy));
  std::vector<Lease> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(ask("b"));
  EXPECT_EQ(refusal("b").status, 503u);
  waiting.pop_back();
  const Lease again = ask("b");
  EXPECT_TRUE(again.is_waiting());
}

TEST_F(ModelLibraryTest, NamesAreIdsAndAliases) {
  make({{"a", 10}, {"b", 10}}, 20);
  use("a");
  const Lease lease = ask("b-alias");
  ASSERT_TRUE(comes(lease));
  EXPECT_EQ(lease.service().model.id, "b");
  const ApiError missing = refusal("");
  EXPECT_EQ(missing.status, 400u);
  EXPECT_EQ(missing.param, "model");
  EXPECT_NE(missing.message.find("'a', 'b'"), std::string::npos) << missing.message;
  EXPECT_EQ(refusal("c").status, 404u);
  EXPECT_EQ(refusal("c").code, "model_not_found");
}

TEST_F(ModelLibraryTest, AnyOtherNameMeansTheOneUsedLastIfItMay) {
  make({{"a", 10}, {"b", 10}}, 20, /*any_name=*/true);
  use("b");
  const Lease lease = ask("gpt-4o");
  ASSERT_TRUE(comes(lease));
  EXPECT_EQ(lease.service().model.id, "b");
}

TEST_F(ModelLibraryTest, ManyWhoAskForAllOfThemAreAllServed) {
  make({{"a", 10}, {"b", 10}, {"c", 10}}, 20);
  std::atomic<int> n_served{0};
  std::vector<std::jthread> clients;
  for (int client = 0; client < 3; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 50; ++i) {
        const std::string name(1, char('a' + (i * (client + 1)) % 3));
        const Lease lease = ask(name);
        if (comes(lease) && lease.service().model.id == name) ++n_served;
      }
    });
  }
  clients.clear();
  EXPECT_EQ(n_served, 150);
}

}  // namespace
}  // namespace paro::server
