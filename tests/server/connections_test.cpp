#include <atomic>
#include <future>

#include "tests/server/server_fixture.h"

namespace paro {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using boost::beast::http::verb;

class Connections : public ServerTest {
 protected:
  static std::string chat_bytes(std::string_view members) {
    const std::string body = chat_body(members);
    return "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  void answer_endlessly(std::chrono::milliseconds prefill = 0ms) {
    engine.script = [prefill](const GenerationRequest&) {
      return Script{.tokens = tokens_of("again "), .prefill = prefill, .per_token = 1ms, .endless = true};
    };
    engine.model_info.max_context = 1 << 20;
  }
};

TEST_F(Connections, CarryManyRequests) {
  start();
  HttpClient client(port());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.post("/v1/chat/completions", chat_body()).status, 200u);
    EXPECT_EQ(client.post("/v1/chat/completions", chat_body(R"("stream":true)")).chunks().size() > 2, true);
    EXPECT_EQ(client.get("/health").status, 200u);
  }
}

TEST_F(Connections, RequestsSentAheadAreAnsweredInOrder) {
  start();
  HttpClient client(port());
  client.write(chat_bytes("") + "GET /health HTTP/1.1\r\nHost: a\r\n\r\n" + chat_bytes(R"("stream":true)"));
  EXPECT_EQ(client.read_answer().json().at("object"), "chat.completion");
  EXPECT_EQ(client.read_answer().body, R"({"status":"ok"})");
  EXPECT_GT(client.read_answer().chunks().size(), 2u);
}

TEST_F(Connections, SendingFarAheadIsNotLeaving) {
  engine.script = [](const GenerationRequest&) { return Script{.tokens = tokens_of("late"), .prefill = 300ms}; };
  start();
  HttpClient client(port());
  const std::string padding(50000, 'a');
  const std::string ahead = "GET /health HTTP/1.1\r\nHost: a\r\nX: " + padding + "\r\n\r\n";
  client.write(chat_bytes("") + ahead + ahead + ahead);
  EXPECT_EQ(client.read_answer().status, 200u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.read_answer().body, R"({"status":"ok"})");
}

TEST_F(Connections, OldClientsGetUnchunkedAnswersThatEndWithTheConnection) {
  start();
  const HttpAnswer whole = HttpClient(port()).send(verb::post, "/v1/chat/completions", chat_body(), {}, 10);
  EXPECT_EQ(whole.status, 200u);
  EXPECT_FALSE(whole.keeps_alive);
  const HttpAnswer streamed =
      HttpClient(port()).send(verb::post, "/v1/chat/completions", chat_body(R"("stream":true)"), {}, 10);
  EXPECT_EQ(streamed.fields.count("Transfer-Encoding"), 0u);
  EXPECT_GT(streamed.chunks().size(), 2u);
}

TEST_F(Connections, ExpectContinueIsAnsweredBeforeTheBody) {
  start();
  HttpClient client(port());
  const std::string body = chat_body();
  client.write("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n");
  EXPECT_TRUE(client.read_some().starts_with("HTTP/1.1 100"));
  client.write(body);
  EXPECT_EQ(client.read_answer().status, 200u);
}

TEST_F(Connections, LeavingCancelsInDecode) {
  answer_endlessly();
  start();
  HttpClient client(port());
  client.write(chat_bytes(R"("stream":true,"n":2)"));
  ASSERT_FALSE(client.read_some().empty());
  client.close();
  EXPECT_TRUE(engine.wait_until_idle(5s));
  EXPECT_EQ(engine.n_cancelled(), 2u);
}

TEST_F(Connections, LeavingCancelsInPrefillStreamedOrNot) {
  answer_endlessly(1h);
  start();
  size_t n = 0;
  for (const std::string_view members : {"", R"("stream":true)"}) {
    HttpClient client(port());
    client.write(chat_bytes(members));
    ASSERT_TRUE(engine.wait_for_requests(++n, 5s));
    client.close();
    EXPECT_TRUE(engine.wait_until_idle(5s));
    EXPECT_EQ(engine.n_cancelled(), n);
  }
}

TEST_F(Connections, ReadersThatStopReadingAreGivenUp) {
  engine.script = [](const GenerationRequest&) { return Script{.tokens = tokens_of("again "), .endless = true}; };
  engine.model_info.max_context = 1 << 30;
  options.write_timeout = 200ms;
  start();
  HttpClient client(port());
  client.write(chat_bytes(R"("stream":true,"logprobs":true,"top_logprobs":20)"));
  ASSERT_TRUE(engine.wait_for_requests(1, 5s));
  EXPECT_TRUE(engine.wait_until_idle(20s));
  EXPECT_EQ(chat(R"("max_tokens":1)").status, 200u);
}

TEST_F(Connections, BeyondTheLimitAre503) {
  options.max_connections = 2;
  options.patience = 60s;
  start();
  HttpClient first(port()), second(port());
  EXPECT_EQ(first.get("/health").status, 200u);
  EXPECT_EQ(second.get("/health").status, 200u);
  HttpClient third(port());
  EXPECT_EQ(third.read_answer().status, 503u);
  second.close();
  for (int i = 0; i < 100; ++i) {
    HttpClient fourth(port());
    if (fourth.get("/health").status == 200) return;
    std::this_thread::sleep_for(10ms);
  }
  FAIL() << "the place of a connection that left stays taken";
}

TEST_F(Connections, ThePlaceOfTheSlowestClientIsGivenAway) {
  options.max_connections = 3;
  options.patience = 20ms;
  engine.script = [](const GenerationRequest&) {
    return Script{.tokens = tokens_of("on"), .per_token = 5ms, .endless = true};
  };
  start();
  HttpClient waiting(port()), slow(port()), idle(port());
  waiting.write(chat_bytes(""));  // its answer takes long, which is not its fault
  ASSERT_TRUE(engine.wait_for_requests(1, 5s));
  slow.write("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n");
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(idle.get("/health").status, 200u);
  std::this_thread::sleep_for(100ms);
  HttpClient fourth(port());
  EXPECT_EQ(fourth.get("/health").status, 200u);
  EXPECT_EQ(slow.read_some(), "");
  std::this_thread::sleep_for(100ms);
  HttpClient fifth(port());
  EXPECT_EQ(fifth.get("/health").status, 200u);
  EXPECT_EQ(engine.n_cancelled(), 0u);
}

TEST_F(Connections, IdleAndHalfSentRequestsTimeOut) {
  options.idle_timeout = 50ms;
  options.read_timeout = 50ms;
  start();
  HttpClient idle(port()), half(port());
  half.write("POST /v1/chat/completions HTTP/1.1\r\nContent-Le");
  EXPECT_EQ(idle.read_some(), "");
  EXPECT_EQ(half.read_some(), "");
}

TEST_F(Connections, StopLetsAnswersFinishAndClosesIdleOnes) {
  engine.script = [](const GenerationRequest&) {
    return Script{.tokens = tokens_of("Hello there."), .prefill = 200ms};
  };
  options.grace = 10s;
  start();
  HttpClient idle(port()), busy(port());
  EXPECT_EQ(idle.get("/health").status, 200u);
  busy.write(chat_bytes(""));
  ASSERT_TRUE(engine.wait_for_requests(1, 5s));
  const auto begin = std::chrono::steady_clock::now();
  running().stop();
  EXPECT_EQ(idle.read_some(), "");
  const HttpAnswer answer = busy.read_answer();
  EXPECT_EQ(answer.status, 200u);
  EXPECT_FALSE(answer.keeps_alive);
  busy.close();
  stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_EQ(engine.n_cancelled(), 0u);
}

TEST_F(Connections, StopEndsLongAnswersAfterTheGrace) {
  answer_endlessly();
  options.grace = 100ms;
  start();
  HttpClient streamed(port()), whole(port());
  streamed.write(chat_bytes(R"("stream":true)"));
  whole.write(chat_bytes(""));
  ASSERT_TRUE(engine.wait_for_requests(2, 5s));
  auto stopped = std::async(std::launch::async, [&] { stop(); });
  const auto chunks = streamed.read_answer().chunks();
  EXPECT_EQ(chunks.back().at("error").at("code"), "unavailable");
  EXPECT_EQ(whole.read_answer().status, 503u);
  streamed.close();
  whole.close();
  stopped.get();
  EXPECT_TRUE(engine.wait_until_idle(5s));
}

TEST_F(Connections, SixtyFourClientsAreServedAtOnce) {
  engine.script = [](const GenerationRequest& request) {
    Script script{.tokens = tokens_of("answer to "), .per_token = 1ms};
    script.tokens.push_back(request.prompt.at(5));
    return script;
  };
  start();
  std::atomic<int> n_right{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 64; ++i) {
    clients.emplace_back([&, i] {
      const std::string word = std::to_string(i % 10);
      HttpClient client(port());
      for (int turn = 0; turn < 3; ++turn) {
        const bool streams = (i + turn) % 2 == 0;
        const HttpAnswer answer =
            client.post("/v1/chat/completions", chat_body(streams ? R"("stream":true)" : "", word));
        std::string text;
        if (streams) {
          for (const json::value& chunk : answer.chunks())
            if (const json::value* piece = chunk.at("choices").at(0).at("delta").as_object().if_contains("content"))
              text += piece->as_string();
        } else {
          text = answer.json().at("choices").at(0).at("message").at("content").as_string();
        }
        const std::vector<int32_t> prompt = tokens_of("<bos><|turn>user\n" + word + "<turn|>\n");
        n_right += text == "answer to " + demo_tokenizer().decode(std::vector<int32_t>{prompt.at(5)}, true);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(n_right, 64 * 3);
}

}  // namespace
}  // namespace paro
