// A server on a free port of the loopback, with a fake engine and the demo model's tokenizer and template.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/file.h"
#include "server/server.h"
#include "tests/server/fake_engine.h"
#include "tests/server/http_client.h"

namespace paro {

const text::Tokenizer& demo_tokenizer();
const text::ChatTemplate& demo_template();

class ServerTest : public testing::Test {
 protected:
  ServerTest();
  ~ServerTest() override;

  void start();  // after the members below are set
  void stop();   // and waits for run() to return
  int port() const { return server_->port(); }
  server::Server& running() { return *server_; }

  HttpAnswer chat(std::string_view members = "", std::string_view message = "Hi");  // {"messages": [...], members}
  HttpAnswer complete(std::string_view members);

  static std::vector<int32_t> tokens_of(std::string_view text) { return demo_tokenizer().encode(text, false); }
  void answer_with(std::string_view text) {
    engine.script = [text = std::string(text)](const GenerationRequest&) { return Script{.tokens = tokens_of(text)}; };
  }

  FakeEngine engine;
  server::ServerOptions options;
  std::string model_id = "demo";
  std::string card = R"({"architecture": "gemma4_text", "layers": 6})";
  bool has_template = true;

 private:
  std::unique_ptr<server::Server> server_;
  std::thread thread_;
};

std::string chat_body(std::string_view members = "", std::string_view message = "Hi");
std::string error_code_of(const HttpAnswer& answer);
std::string error_param_of(const HttpAnswer& answer);

}  // namespace paro
