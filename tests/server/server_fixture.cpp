#include "tests/server/server_fixture.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

namespace paro {
namespace {

std::string read_demo(const std::string& name) {
  std::ifstream file(std::string(PARO_SOURCE_DIR "/models/demo/") + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

const text::Tokenizer& demo_tokenizer() {
  static const text::Tokenizer tokenizer = text::Tokenizer::from_json(read_demo("tokenizer.json"));
  return tokenizer;
}

const text::ChatTemplate& demo_template() {
  static const text::ChatTemplate chat_template = text::ChatTemplate::parse(read_demo("chat_template.jinja"));
  return chat_template;
}

ServerTest::ServerTest() {
  engine.model_info.vocab_size = demo_tokenizer().vocab_size();
  options.port = 0;
  options.grace = std::chrono::milliseconds(300);
  answer_with("Hello there.");
}

ServerTest::~ServerTest() {
  if (server_) stop();
}

void ServerTest::start() {
  server::ServedModel model{model_id, engine, demo_tokenizer(), has_template ? &demo_template() : nullptr, "<bos>",
                            "<eos>",  card};
  model.directory = "demo-directory";
  model.template_source = "{{ messages }}";
  server_ = std::make_unique<server::Server>(options, model);
  thread_ = std::thread([this] { server_->run(); });
}

void ServerTest::stop() {
  server_->stop();
  if (thread_.joinable()) thread_.join();
}

HttpAnswer ServerTest::chat(std::string_view members, std::string_view message) {
  return HttpClient(port()).post("/v1/chat/completions", chat_body(members, message));
}

HttpAnswer ServerTest::complete(std::string_view members) {
  return HttpClient(port()).post("/v1/completions", fmt::format("{{{}}}", members));
}

std::string chat_body(std::string_view members, std::string_view message) {
  return fmt::format(R"({{"messages":[{{"role":"user","content":"{}"}}]{}{}}})", message, members.empty() ? "" : ",",
                     members);
}

std::string error_code_of(const HttpAnswer& answer) {
  return std::string(answer.json().at("error").at("code").as_string());
}

std::string error_param_of(const HttpAnswer& answer) {
  const boost::json::value param = answer.json().at("error").at("param");
  return param.is_null() ? "null" : std::string(param.as_string());
}

}  // namespace paro
