#include "server/cors.h"

#include "tests/server/server_fixture.h"

namespace paro {
namespace {

using boost::beast::http::field;
using boost::beast::http::verb;

class Cors : public ServerTest {
 protected:
  HttpAnswer preflight(const std::string& origin) {
    return HttpClient(port()).send(verb::options, "/v1/chat/completions", "",
                                   {{"Origin", origin},
                                    {"Access-Control-Request-Method", "POST"},
                                    {"Access-Control-Request-Headers", "authorization,content-type"}});
  }
  HttpAnswer health(const Headers& headers) { return HttpClient(port()).get("/health", headers); }
};

TEST_F(Cors, PreflightsTellMethodsHeadersAndHowLongThatHolds) {
  options.cors_origins = server::parse_origins({"https://Chat.example.org", "http://localhost:3000"});
  start();
  const HttpAnswer answer = preflight("https://chat.example.org");
  EXPECT_EQ(answer.status, 204u);
  EXPECT_EQ(answer.fields[field::access_control_allow_origin], "https://chat.example.org");
  EXPECT_EQ(answer.fields[field::access_control_allow_methods], "POST, OPTIONS");
  EXPECT_EQ(answer.fields[field::access_control_allow_headers], "authorization,content-type");
  EXPECT_EQ(answer.fields[field::access_control_max_age], "86400");
  EXPECT_EQ(answer.fields[field::vary], "Origin");
  EXPECT_EQ(answer.fields.count(field::access_control_allow_credentials), 0u);
}

TEST_F(Cors, EachListedOriginIsToldItsOwnName) {
  options.cors_origins = server::parse_origins({"https://chat.example.org", "http://localhost:3000"});
  start();
  for (const std::string origin : {"http://localhost:3000", "https://chat.example.org"}) {
    const HttpAnswer answer = health({{"Origin", origin}});
    EXPECT_EQ(answer.status, 200u);
    EXPECT_EQ(answer.fields[field::access_control_allow_origin], origin);
    EXPECT_EQ(answer.fields[field::vary], "Origin");
  }
}

TEST_F(Cors, OtherOriginsGetNothing) {
  options.cors_origins = server::parse_origins({"https://chat.example.org"});
  start();
  for (const std::string origin :
       {"https://chat.example.org.evil", "http://chat.example.org", "null", "https://chat.example.org:444", "evil"}) {
    EXPECT_EQ(preflight(origin).fields.count(field::access_control_allow_origin), 0u) << origin;
    const HttpAnswer answer = HttpClient(port()).post("/v1/chat/completions", chat_body(), {{"Origin", origin}});
    EXPECT_EQ(answer.status, 403u) << origin;
    EXPECT_EQ(error_code_of(answer), "origin_not_allowed");
    EXPECT_EQ(answer.fields.count(field::access_control_allow_origin), 0u) << origin;
  }
  EXPECT_FALSE(engine.wait_for_requests(1, std::chrono::milliseconds(1)));
}

TEST_F(Cors, ClientsWithoutOriginAndTheServersOwnPagesAreServed) {
  options.cors_origins = server::parse_origins({"none"});
  start();
  EXPECT_EQ(health({}).status, 200u);
  const HttpAnswer own = health({{"Host", "model.example.org:8000"}, {"Origin", "http://model.example.org:8000"}});
  EXPECT_EQ(own.status, 200u);
  EXPECT_EQ(own.fields.count(field::access_control_allow_origin), 0u);
  EXPECT_EQ(health({{"Host", "model.example.org:8000"}, {"Origin", "http://model.example.org"}}).status, 403u);
}

TEST_F(Cors, StreamsAndErrorsAreReadableToo) {
  options.cors_origins = server::parse_origins({"https://chat.example.org"});
  options.api_keys = {"key"};
  start();
  HttpClient client(port());
  const Headers headers{{"Origin", "https://chat.example.org"}, {"Authorization", "Bearer key"}};
  const HttpAnswer stream = client.post("/v1/chat/completions", chat_body(R"("stream":true)"), headers);
  EXPECT_EQ(stream.fields[field::access_control_allow_origin], "https://chat.example.org");
  const HttpAnswer error = client.post("/v1/chat/completions", "{", {headers.front()});
  EXPECT_EQ(error.status, 401u);
  EXPECT_EQ(error.fields[field::access_control_allow_origin], "https://chat.example.org");
}

TEST(CorsOrigins, AreRefusedWhereNoBrowserSendsThem) {
  for (const std::string text : {"", "chat.example.org", "https://", "://a", "https://a/", "https://a/b", "https://a b",
                                 "https://a?b", "https://user@a", "https://*.example.org"})
    EXPECT_THROW(server::parse_origins({text}), Error) << text;
  EXPECT_THROW(server::parse_origins({"none", "https://a"}), Error);
  const std::vector<std::string> expected{"*", "null", "https://a", "http://[::1]:80"};
  EXPECT_EQ(server::parse_origins({"*", "null", "HTTPS://A", "http://[::1]:80"}), expected);
}

}  // namespace
}  // namespace paro
