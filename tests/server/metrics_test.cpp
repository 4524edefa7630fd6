#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/server/server_fixture.h"

namespace paro {
namespace {

using namespace std::chrono_literals;
using boost::beast::http::field;
using boost::beast::http::verb;

constexpr const char* kChat = R"(paro_requests_total{route="/chat/completions",status="200"})";

using Samples = std::map<std::string, double>;  // by name and labels, as they are written

void check_histogram(const Samples& samples, const std::string& name) {
  static const std::regex bucket_of(R"re((.*)_bucket\{le="(.*)"\})re");
  std::map<double, double> counts;
  std::smatch parts;
  for (const auto& [series, value] : samples)
    if (std::regex_match(series, parts, bucket_of) && parts[1] == name) counts[std::stod(parts[2])] = value;
  ASSERT_GE(counts.size(), 2u) << name;
  EXPECT_EQ(counts.begin()->first, 0.001) << name;
  EXPECT_EQ(std::prev(counts.end(), 2)->first, 60) << name;
  EXPECT_EQ(counts.rbegin()->first, HUGE_VAL) << name;
  EXPECT_EQ(counts.rbegin()->second, samples.at(name + "_count")) << name;
  EXPECT_TRUE(std::is_sorted(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
    return a.second < b.second;
  })) << name;
}

// What breaks the format's grammar fails the test.
Samples parsed(const std::string& text) {
  static const std::regex help_line(R"(# HELP ([a-z][a-z0-9_]*) [^ ].*)");
  static const std::regex type_line(R"(# TYPE ([a-z][a-z0-9_]*) (counter|gauge|histogram))");
  static const std::regex sample_line(
      R"re(([a-z][a-z0-9_]*)(\{[a-z]+="[^"\\\n]*"(,[a-z]+="[^"\\\n]*")*\})? (-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?))re");
  EXPECT_TRUE(text.ends_with('\n'));
  Samples samples;
  std::set<std::string> families;
  std::string helped, family, type;
  std::istringstream lines(text);
  std::smatch parts;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, parts, help_line)) {
      helped = parts[1];
      EXPECT_TRUE(families.insert(helped).second) << "twice: " << line;
      EXPECT_TRUE(helped.starts_with("paro_")) << line;
    } else if (std::regex_match(line, parts, type_line)) {
      family = parts[1];
      type = parts[2];
      EXPECT_EQ(family, helped) << line;
      EXPECT_EQ(type == "counter", family.ends_with("_total")) << line;
    } else if (std::regex_match(line, parts, sample_line)) {
      const std::string name = parts[1];
      const bool is_part = name == family + "_bucket" || name == family + "_sum" || name == family + "_count";
      EXPECT_TRUE(type == "histogram" ? is_part : name == family) << line;
      EXPECT_TRUE(samples.emplace(name + parts[2].str(), std::stod(parts[4])).second) << "twice: " << line;
    } else {
      ADD_FAILURE() << "not a line of the format: '" << line << "'";
    }
  }
  return samples;
}

class Metrics : public ServerTest {
 protected:
  static Samples scrape(HttpClient& client) {
    const HttpAnswer answer = client.get("/metrics");
    EXPECT_EQ(answer.status, 200u) << answer.body;
    return parsed(answer.body);
  }
  Samples scrape() const {
    HttpClient client(port());
    return scrape(client);
  }
};

std::string ended(std::string_view reason) {
  return fmt::format(R"(paro_sequences_ended_total{{reason="{}"}})", reason);
}

TEST_F(Metrics, AreTextOfTheFormatsVersion) {
  start();
  HttpClient client(port());
  for (const std::string target : {"/metrics", "/v1/metrics/", "/metrics?x=1"}) {
    const HttpAnswer answer = client.get(target);
    EXPECT_EQ(answer.status, 200u) << target;
    EXPECT_EQ(answer.fields[field::content_type], "text/plain; version=0.0.4; charset=utf-8");
    for (const std::string name :
         {"paro_queue_seconds", "paro_time_to_first_token_seconds", "paro_inter_token_latency_seconds"})
      check_histogram(parsed(answer.body), name);
  }
}

TEST_F(Metrics, AreOnlyRead) {
  start();
  const HttpAnswer answer = HttpClient(port()).post("/metrics", "{}");
  EXPECT_EQ(answer.status, 405u);
  EXPECT_EQ(answer.fields[field::allow], "GET, HEAD, OPTIONS");
}

TEST_F(Metrics, NeedTheKeyAndCountWhoHasNone) {
  options.api_keys = {"secret"};
  start();
  HttpClient client(port());
  EXPECT_EQ(client.get("/metrics").status, 401u);
  const HttpAnswer answer = client.get("/metrics", {{"Authorization", "Bearer secret"}});
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(parsed(answer.body).at(R"(paro_requests_total{route="/metrics",status="401"})"), 1);
}

TEST_F(Metrics, CountARequestAndItsTokens) {
  start();
  const Samples before = scrape();
  EXPECT_EQ(before.count(kChat), 0u);
  EXPECT_EQ(before.at("paro_prompt_tokens_total"), 0);
  EXPECT_EQ(before.at("paro_generated_tokens_total"), 0);
  for (const std::string_view reason : {"stop", "length", "cancelled", "failed"})
    EXPECT_EQ(before.at(ended(reason)), 0);

  const boost::json::value usage = chat().json().at("usage");
  EXPECT_EQ(chat(R"("max_tokens":2)").status, 200u);
  const Samples after = scrape();
  const auto n_prompt = usage.at("prompt_tokens").to_number<double>();
  const auto n_generated = usage.at("completion_tokens").to_number<double>();
  EXPECT_EQ(after.at(kChat), 2);
  EXPECT_EQ(after.at(R"(paro_requests_total{route="/metrics",status="200"})"), 1);
  EXPECT_EQ(after.at("paro_prompt_tokens_total"), 2 * n_prompt);
  EXPECT_EQ(after.at("paro_generated_tokens_total"), n_generated + 2) << "a stop token counts";
  EXPECT_EQ(after.at(ended("stop")), 1);
  EXPECT_EQ(after.at(ended("length")), 1);
  EXPECT_EQ(after.at(ended("cancelled")), 0);
  EXPECT_EQ(after.at("paro_queue_seconds_count"), 2);
  EXPECT_NEAR(after.at("paro_queue_seconds_sum"), 2 * 0.005, 1e-9);
  EXPECT_EQ(after.at("paro_time_to_first_token_seconds_count"), 2);
  EXPECT_EQ(after.at("paro_inter_token_latency_seconds_count"), (n_generated - 1 - 1) + (2 - 1));
}

TEST_F(Metrics, TimesOfAStreamAreThoseItTook) {
  engine.script = [](const GenerationRequest&) {
    return Script{.tokens = {5, 6, 7}, .prefill = 60ms, .per_token = 25ms};
  };
  start();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(chat(R"("stream":true)").status, 200u);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const Samples after = scrape();
  EXPECT_EQ(after.at(kChat), 1);
  EXPECT_EQ(after.at("paro_time_to_first_token_seconds_count"), 1);
  EXPECT_GE(after.at("paro_time_to_first_token_seconds_sum"), 0.06);
  EXPECT_EQ(after.at(R"(paro_time_to_first_token_seconds_bucket{le="0.05"})"), 0);
  EXPECT_EQ(after.at(R"(paro_time_to_first_token_seconds_bucket{le="60"})"), 1);
  EXPECT_EQ(after.at("paro_inter_token_latency_seconds_count"), 2);
  EXPECT_GE(after.at("paro_inter_token_latency_seconds_sum"), 0.04);
  EXPECT_EQ(after.at(R"(paro_inter_token_latency_seconds_bucket{le="0.01"})"), 0);
  EXPECT_LE(after.at("paro_time_to_first_token_seconds_sum") + after.at("paro_inter_token_latency_seconds_sum"),
            took.count());
}

TEST_F(Metrics, RefusedRequestsCountByStatusAndTakeNoTokens) {
  engine.capacity = 0;
  start();
  EXPECT_EQ(chat().status, 503u);
  EXPECT_EQ(chat(R"("temperature":9)").status, 400u);
  EXPECT_EQ(HttpClient(port()).get("/v1/completions").status, 405u);
  const Samples after = scrape();
  EXPECT_EQ(after.at(R"(paro_requests_total{route="/chat/completions",status="503"})"), 1);
  EXPECT_EQ(after.at(R"(paro_requests_total{route="/chat/completions",status="400"})"), 1);
  EXPECT_EQ(after.at(R"(paro_requests_total{route="/completions",status="405"})"), 1);
  EXPECT_EQ(after.count(kChat), 0u);
  EXPECT_EQ(after.at("paro_prompt_tokens_total"), 0);
  EXPECT_EQ(after.at("paro_queue_seconds_count"), 0);
}

TEST_F(Metrics, SequencesOfAClientThatLeftAreCancelled) {
  engine.script = [](const GenerationRequest&) { return Script{.tokens = {5}, .per_token = 1ms, .endless = true}; };
  start();
  {
    HttpClient client(port());
    const std::string body = chat_body(R"("stream":true,"n":2)");
    client.write(fmt::format("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{}",
                             body.size(), body));
    ASSERT_FALSE(client.read_some().empty());
    ASSERT_TRUE(engine.wait_for_requests(2, 5s));
    const Samples during = scrape();
    EXPECT_EQ(during.at(kChat), 1);
    EXPECT_EQ(during.at("paro_sequences_active"), 2);
    EXPECT_EQ(during.at(ended("cancelled")), 0);
    client.close();
  }
  ASSERT_TRUE(engine.wait_until_idle(5s));
  const Samples after = scrape();
  EXPECT_EQ(after.at("paro_sequences_active"), 0);
  EXPECT_EQ(after.at(ended("cancelled")), 2);
  EXPECT_EQ(after.at(ended("stop")), 0);
  EXPECT_EQ(after.at("paro_queue_seconds_count"), 2);
}

TEST_F(Metrics, StopStringsEndByStoppingAndFailuresByFailing) {
  engine.script = [](const GenerationRequest& request) {
    if (request.max_tokens == 3) return Script{.tokens = {5}, .error = Error(ErrorKind::internal, "broken")};
    return Script{.tokens = tokens_of("again "), .per_token = 1ms, .endless = true};
  };
  start();
  EXPECT_EQ(chat(R"("stop":"ga")").status, 200u);
  EXPECT_EQ(chat(R"("max_tokens":3)").status, 500u);
  const Samples after = scrape();
  EXPECT_EQ(after.at(ended("stop")), 1);
  EXPECT_EQ(after.at(ended("failed")), 1);
  EXPECT_EQ(after.at(ended("cancelled")), 0);
  EXPECT_EQ(after.at(R"(paro_requests_total{route="/chat/completions",status="500"})"), 1);
}

TEST_F(Metrics, PathsThatClientsMakeUpAddNoSeries) {
  start();
  HttpClient client(port());
  EXPECT_EQ(client.get("/nowhere").status, 404u);
  EXPECT_EQ(client.get("/v1/models/other").status, 404u);
  EXPECT_EQ(client.get("/metrics").status, 200u);
  const size_t n_series = scrape().size();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.get(fmt::format("/a%22{}", i)).status, 404u);
    EXPECT_EQ(client.get(fmt::format("/models/other{}", i)).status, 404u);
  }
  const Samples after = scrape();
  EXPECT_EQ(after.size(), n_series);
  EXPECT_EQ(after.at(R"(paro_requests_total{route="none",status="404"})"), 21);
  EXPECT_EQ(after.at(R"(paro_requests_total{route="/models/{id}",status="404"})"), 21);
}

TEST_F(Metrics, TellOfTheQueueAndOpenConnections) {
  engine.n_waiting = 3;
  start();
  HttpClient client(port()), idle(port());
  EXPECT_EQ(idle.get("/health").status, 200u);
  const Samples samples = scrape(client);
  // At least: a test beside this one may knock at a port that was its own server's a moment ago.
  const double n_open = samples.at("paro_connections_open");
  EXPECT_GE(n_open, 2);
  EXPECT_EQ(samples.at("paro_sequences_waiting"), 3);
  EXPECT_EQ(samples.at("paro_sequences_active"), 0);
  idle.close();
  for (int i = 0; i < 500 && scrape(client).at("paro_connections_open") >= n_open; ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_LT(scrape(client).at("paro_connections_open"), n_open);
}

TEST_F(Metrics, TellOfPrefixesThatWereTakenOver) {
  engine.prefix = {.n_hits = 2,
                   .n_lookups = 5,
                   .n_reused_tokens = 640,
                   .n_prompt_tokens = 1000,
                   .n_blocks = 64,
                   .n_used_blocks = 30};
  start();
  const Samples samples = scrape();
  EXPECT_EQ(samples.at("paro_prefix_hits_total"), 2);
  EXPECT_EQ(samples.at("paro_prefix_lookups_total"), 5);
  EXPECT_EQ(samples.at("paro_prefix_reused_tokens_total"), 640);
  EXPECT_EQ(samples.at("paro_prefix_prompt_tokens_total"), 1000);
  EXPECT_EQ(samples.at("paro_prefix_blocks"), 64);
  EXPECT_EQ(samples.at("paro_prefix_blocks_used"), 30);
  EXPECT_FALSE(samples.contains("paro_prefix_disk_bytes")) << "nothing is kept on disk";
}

TEST_F(Metrics, TellOfPrefixesOnDiskWhereSomeAreKept) {
  engine.prefix = {.n_disk_tokens = 320, .n_disk_bytes = 4096, .disk_limit_bytes = 8192};
  start();
  const Samples samples = scrape();
  EXPECT_EQ(samples.at("paro_prefix_disk_tokens_total"), 320);
  EXPECT_EQ(samples.at("paro_prefix_disk_bytes"), 4096);
  EXPECT_EQ(samples.at("paro_prefix_disk_limit_bytes"), 8192);
}

TEST_F(Metrics, MemoryIsTheEnginesReportToTheByte) {
  engine.report.plan_bytes = (int64_t{24} << 30) + 1;
  engine.report.budget_bytes = (int64_t{32} << 30) + 3;
  engine.report.classes = {{"weights", 70, 69}, {"kv cache", (int64_t{24} << 30) - 69, 0}};
  start();
  const Samples samples = scrape();
  EXPECT_EQ(samples.at("paro_memory_plan_bytes"), static_cast<double>(engine.report.plan_bytes));
  EXPECT_EQ(samples.at("paro_memory_budget_bytes"), static_cast<double>(engine.report.budget_bytes));
  EXPECT_EQ(samples.at(R"(paro_memory_class_plan_bytes{class="weights"})"), 70);
  EXPECT_EQ(samples.at(R"(paro_memory_class_actual_bytes{class="weights"})"), 69);
  EXPECT_EQ(samples.at(R"(paro_memory_class_plan_bytes{class="kv cache"})"), (double(int64_t{24} << 30)) - 69);
  EXPECT_EQ(samples.at(R"(paro_memory_class_actual_bytes{class="kv cache"})"), 0);
  EXPECT_GT(samples.at("paro_resident_peak_bytes"), 1 << 20);
}

TEST_F(Metrics, ExpertsAreThereWhereTheModelHasSome) {
  start();
  for (const auto& [series, value] : scrape()) EXPECT_FALSE(series.starts_with("paro_expert")) << series;
  stop();

  engine.report.experts = {.n_experts = 3840,
                           .n_slots = 1000,
                           .n_requested = 700,
                           .n_hits = 500,
                           .n_fetched = 250,
                           .n_guessed = 60,
                           .n_guessed_right = 40,
                           .n_read_bytes = int64_t{5} << 33,
                           .wait_seconds = 1.25};
  start();
  const Samples samples = scrape();
  EXPECT_EQ(samples.at("paro_experts"), 3840);
  EXPECT_EQ(samples.at("paro_expert_slots"), 1000);
  EXPECT_EQ(samples.at("paro_expert_requests_total"), 700);
  EXPECT_EQ(samples.at("paro_expert_hits_total"), 500);
  EXPECT_EQ(samples.at("paro_expert_fetches_total"), 250);
  EXPECT_EQ(samples.at("paro_expert_read_bytes_total"), double(int64_t{5} << 33));
  EXPECT_EQ(samples.at("paro_expert_wait_seconds_total"), 1.25);
}

}  // namespace
}  // namespace paro
