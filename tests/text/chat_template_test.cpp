#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <thread>

#include "base/error.h"
#include "base/file.h"

namespace paro::text {
namespace {

namespace json = boost::json;

json::object parse_context(std::string_view text) { return json::parse(text).as_object(); }

std::string render(std::string_view source, std::string_view context = "{}") {
  return ChatTemplate::parse(source).render(parse_context(context));
}

Error error_of(std::string_view source, std::string_view context = "{}") {
  try {
    const std::string text = render(source, context);
    ADD_FAILURE() << "rendered '" << text << "'";
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorKind::internal, "");
}

std::filesystem::path demo_template() {
  return std::filesystem::path(PARO_SOURCE_DIR) / "models/demo/chat_template.jinja";
}

TEST(ChatTemplate, DemoTemplateRendersAsJinja2) {
  const auto chat_template = ChatTemplate::parse(read_text_file(demo_template(), 1 << 20));
  const auto path = std::filesystem::path(PARO_SOURCE_DIR) / "tests/text/goldens/demo_renderings.json";
  const json::value goldens = json::parse(read_text_file(path, 1 << 24));
  int rendered = 0;
  for (const json::value& golden : goldens.at("cases").as_array()) {
    const auto& context = golden.at("context").as_object();
    const std::string name(golden.at("name").as_string());
    const json::value* expected = golden.as_object().if_contains("text");
    try {
      const std::string got = chat_template.render(context);
      ASSERT_NE(expected, nullptr) << name << " rendered";
      EXPECT_EQ(got, std::string(expected->as_string())) << name;
      ++rendered;
    } catch (const Error& error) {
      EXPECT_EQ(expected, nullptr) << name << ": " << error.message();
    }
  }
  EXPECT_GT(rendered, 40);
}

TEST(ChatTemplate, MentionsVariablesOfTheContextOnly) {
  const auto chat_template = ChatTemplate::parse(
      "{% set own = 1 %}{% for m in messages %}{{ m.content }}{{ own }}{% if tools %}{{ strict is defined }}{% endif %}"
      "{% set last = last ~ 'x' %}{% endfor %}{# documents #}{{ 'enable_thinking' }}");
  EXPECT_TRUE(chat_template.mentions("messages"));
  EXPECT_TRUE(chat_template.mentions("tools"));
  EXPECT_TRUE(chat_template.mentions("strict"));
  EXPECT_TRUE(chat_template.mentions("last"));
  EXPECT_FALSE(chat_template.mentions("own"));
  EXPECT_FALSE(chat_template.mentions("m"));
  EXPECT_FALSE(chat_template.mentions("content"));
  EXPECT_FALSE(chat_template.mentions("documents"));
  EXPECT_FALSE(chat_template.mentions("enable_thinking"));
}

TEST(ChatTemplate, ReadsAContextVariableThroughALoopThatAlsoSetsIt) {
  EXPECT_EQ(render("{% if no %}{% set x = 1 %}{% endif %}{% for i in [1, 2] %}{% set x = x ~ i %}{{ x }}{% endfor %}",
                   R"({"x": "c"})"),
            "c1c2");
}

TEST(ChatTemplate, KeepsTheOrderOfObjects) {
  EXPECT_EQ(render("{% for k in d %}{{ k }}{% endfor %}{{ d|tojson }}", R"({"d": {"z": 1, "a": 2, "m": 3}})"),
            R"(zam{"z": 1, "a": 2, "m": 3})");
}

TEST(ChatTemplate, RaisedExceptionsAreErrorsOfTheRequest) {
  const Error error = error_of("{{ raise_exception('roles must alternate') }}");
  EXPECT_EQ(error.kind(), ErrorKind::request);
  EXPECT_EQ(error.message(), "roles must alternate");
}

TEST(ChatTemplate, FailuresNameTheLineAndTheCause) {
  const Error undefined = error_of("a\nb\n{{ message.content }}\n");
  EXPECT_EQ(undefined.kind(), ErrorKind::chat_template);
  EXPECT_EQ(undefined.message(), "chat template line 3: 'message' is undefined");
  EXPECT_EQ(error_of("{{ d.x.y }}", R"({"d": {}})").message(), "chat template line 1: 'dict' has no attribute 'x'");
  EXPECT_EQ(error_of("\n{% if %}").message(),
            "chat template line 2: Expected an expression, got end of statement block");
  EXPECT_EQ(error_of("{% include 'x' %}").message(),
            "chat template line 1: 'include' is not supported in a chat template");
  EXPECT_EQ(error_of("\n\n{{ 1|nosuch }}").message(), "chat template line 3: No filter named 'nosuch'.");
}

TEST(ChatTemplate, RefusesASourceThatIsNotUtf8) { EXPECT_EQ(error_of("a\xff").kind(), ErrorKind::chat_template); }

TEST(ChatTemplate, RepairsAContextThatIsNotUtf8) {
  json::object context;
  context["s"] = "a\xff\xc3(";
  EXPECT_EQ(ChatTemplate::parse("{{ s }}{{ s|length }}").render(context), "a\xEF\xBF\xBD\xEF\xBF\xBD(4");
}

TEST(ChatTemplate, ClockIsFrozenOnRequest) {
  RenderOptions options;
  options.now = 1741356309;
  const auto chat_template = ChatTemplate::parse("{{ strftime_now('%Y %B') }}");
  EXPECT_EQ(chat_template.render({}, options), "2025 March");
}

TEST(ChatTemplate, IntegersBeyondSigned64BitsKeepTheirDigits) {
  EXPECT_EQ(render("{{ n }}{{ [n]|tojson }}", R"({"n": 18446744073709551615})"),
            "18446744073709551615[18446744073709551615]");
}

TEST(ChatTemplate, SeveralThreadsRenderOneTemplate) {
  const auto chat_template = ChatTemplate::parse(
      "{% set ns = namespace(t='') %}{% for i in range(200) %}{% set ns.t = ns.t ~ 'word' %}{% endfor %}"
      "{{ ns.t|length }}{{ name }}");
  std::vector<std::string> results(4);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&, i] { results[i] = chat_template.render({{"name", std::to_string(i)}}); });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i], "800" + std::to_string(i));
}

}  // namespace
}  // namespace paro::text
