// Hostile templates and requests end in an error, quickly and within their memory.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <chrono>
#include <string>

#include "base/error.h"
#include "text/chat_template.h"

namespace paro::text {
namespace {

namespace json = boost::json;

std::string failure_of(const std::string& source, const RenderOptions& options = {}, const json::object& context = {},
                       ErrorKind kind = ErrorKind::chat_template) {
  try {
    const std::string text = ChatTemplate::parse(source).render(context, options);
    return "rendered " + std::to_string(text.size()) + " bytes";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.message();
    return error.message();
  }
}

std::string repeated(const std::string& piece, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += piece;
  return out;
}

TEST(JinjaLimits, RepetitionIsRefusedBeforeItAllocates) {
  for (const char* source :
       {"{{ 'ab' * 9000000000 }}", "{{ [1] * 9000000000 }}", "{{ 'a'.center(9000000000) }}",
        "{{ 'a'.zfill(9000000000) }}", "{{ 'a'|indent(9000000000) }}", "{{ 'ab' * 9223372036854775807 }}",
        "{{ [1]|batch(9000000000, 0)|list }}", "{{ [1]|tojson(indent=9000000000) }}",
        "{{ '\t'.expandtabs(9000000000) }}", "{{ '%9000000000d' % 1 }}", "{{ '{:9000000000}'.format(1) }}"}) {
    const std::string message = failure_of(source);
    EXPECT_TRUE(message.find("builds more than") != std::string::npos || message.find("too large") != std::string::npos)
        << source << ": " << message;
  }
}

TEST(JinjaLimits, RangesAreAsShortAsInTheSandbox) {
  EXPECT_EQ(failure_of("{{ range(1000000000) }}"), "chat template line 1: range() is longer than 100000 items");
  EXPECT_EQ(failure_of("{{ range(100000)|length }}"), "rendered 6 bytes");
  EXPECT_NE(failure_of("{{ range(-9223372036854775807, 9223372036854775807) }}").find("longer"), std::string::npos);
}

TEST(JinjaLimits, DoublingAStringEnds) {
  EXPECT_NE(
      failure_of("{% set ns = namespace(s='ab') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}")
          .find("builds more than 512 MiB"),
      std::string::npos);
}

TEST(JinjaLimits, NestedLoopsEnd) {
  RenderOptions options;
  options.max_steps = 1'000'000;
  EXPECT_EQ(failure_of("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", options),
            "chat template line 1: rendering takes more than 1000000 steps");
}

TEST(JinjaLimits, SharedValuesArePrintedOnlyWithinTheBudget) {
  // 2^60 leaves behind 60 small lists.
  const std::string grow =
      "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}";
  RenderOptions options;
  options.max_steps = 1'000'000;
  EXPECT_NE(failure_of(grow + "{{ ns.x }}", options).find("more than"), std::string::npos);
  EXPECT_NE(failure_of(grow + "{{ ns.x|tojson }}", options).find("more than"), std::string::npos);
  EXPECT_NE(
      failure_of(grow + "{% set a = ns.x %}{% set ns.x = [1] %}" + grow + "{{ a == ns.x }}", options).find("more than"),
      std::string::npos);
}

TEST(JinjaLimits, OutputIsBounded) {
  RenderOptions options;
  options.max_output_bytes = 1000;
  EXPECT_EQ(failure_of("{% for i in range(2000) %}{{ 'x' }}{% endfor %}", options, {}, ErrorKind::context_length),
            "chat template line 1: rendering gives more than 1000 bytes");
  EXPECT_EQ(failure_of("{{ 'x' * 1000 }}", options), "rendered 1000 bytes");
}

TEST(JinjaLimits, RecursionOfMacrosEnds) {
  EXPECT_NE(failure_of("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").find("nested too deeply"), std::string::npos);
  EXPECT_NE(failure_of("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}").find("nested too deeply"),
            std::string::npos);
}

TEST(JinjaLimits, NestedValuesEnd) {
  EXPECT_NE(failure_of("{% set ns = namespace(x=1) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}")
                .find("nested"),
            std::string::npos);
  EXPECT_NE(
      failure_of(
          "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = ns.x|map('upper') %}{% endfor %}")
          .find("nested"),
      std::string::npos);
  EXPECT_NE(
      failure_of("{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x.count] %}{% endfor %}")
          .find("nested"),
      std::string::npos);
  EXPECT_NE(
      failure_of(
          "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [1]|batch(2, ns.x) %}{% endfor %}")
          .find("nested"),
      std::string::npos);
  json::value deep = 1;
  for (int i = 0; i < 1000; ++i) deep = json::array{deep};
  json::object context;
  context["x"] = deep;
  EXPECT_NE(failure_of("{{ x }}", {}, context).find("nested"), std::string::npos);
}

TEST(JinjaLimits, NamespacesMayReferToThemselves) {
  EXPECT_NE(failure_of("{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}").find("nested too deeply"),
            std::string::npos);
  EXPECT_EQ(
      failure_of(
          "{% set ns = namespace() %}{% set ns.x = ns %}{% macro m() %}{{ ns.y }}{% endmacro %}{% set ns.y = m %}"),
      "rendered 0 bytes");
}

TEST(JinjaLimits, NestedSourcesEnd) {
  for (const char* open : {"(", "[", "{1:", "-", "not ", "x(", "x[", "x if y else "}) {
    const std::string message = failure_of("{{ " + repeated(open, 20000));
    EXPECT_NE(message.find("line 1"), std::string::npos) << open << ": " << message;
  }
  EXPECT_NE(failure_of("{{ 1" + repeated(" + 1", 5000) + " }}").find("nested too deeply"), std::string::npos);
  EXPECT_NE(failure_of("{{ x" + repeated(".y", 5000) + " }}").find("nested too deeply"), std::string::npos);
  EXPECT_NE(failure_of("{{ x" + repeated("|upper", 5000) + " }}").find("nested too deeply"), std::string::npos);
  EXPECT_NE(failure_of(repeated("{% if 1 %}", 5000)).find("nested too deeply"), std::string::npos);
  EXPECT_NE(failure_of("{% set " + repeated("(", 5000)).find("nested too deeply"), std::string::npos);
}

TEST(JinjaLimits, DeepestAllowedExpressionRendersInsideTheDeepestMacro) {
  const std::string parentheses = repeated("(", 90) + "m(n - 1)" + repeated(")", 90);
  const std::string source = "{% macro m(n) %}{% if n > 0 %}{{ " + parentheses + repeated(" ~ ''", 1) +
                             " }}{% endif %}x{% endmacro %}{{ m(25) }}";
  EXPECT_EQ(failure_of(source), "rendered 26 bytes");
}

TEST(JinjaLimits, LoopOutlivingItsBlockIsHarmless) {
  EXPECT_EQ(
      ChatTemplate::parse("{% set ns = namespace() %}{% for x in [1, 2] recursive %}{% set ns.l = loop %}{% endfor %}"
                          "{{ ns.l.index }}{{ ns.l.nextitem is defined }}{{ ns.l.length }}")
          .render({}),
      "2False2");
  EXPECT_EQ(
      failure_of(
          "{% set ns = namespace() %}{% for x in [1, 2] recursive %}{% set ns.l = loop %}{% endfor %}{{ ns.l([1]) }}"),
      "chat template line 1: the loop has ended");
}

TEST(JinjaLimits, LargePromptRendersQuickly) {
  json::array messages;
  for (int i = 0; i < 2000; ++i)
    messages.push_back({{"role", i % 2 ? "assistant" : "user"}, {"content", std::string(2000, 'x')}});
  json::object context;
  context["messages"] = messages;
  const auto chat_template = ChatTemplate::parse(
      "{% for m in messages %}{% if m.role == 'user' %}{{ '<u>' + m.content | trim + '</u>' }}{% else %}"
      "{{ m['content'].split('</think>')[-1].lstrip('\\n') }}{% endif %}{% endfor %}");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(chat_template.render(context).size(), 2000u * 2000 + 1000 * 7);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace
}  // namespace paro::text
