// Every case of tools/template_check/cases.py gives what jinja2 gave when the goldens were written.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "text/chat_template.h"

namespace paro::text {
namespace {

namespace json = boost::json;

TEST(Jinja, CasesRenderAsJinja2) {
  const auto path = std::filesystem::path(PARO_SOURCE_DIR) / "tests/text/goldens/jinja_cases.json";
  const json::value goldens = json::parse(read_text_file(path, 1 << 24));
  const auto& context = goldens.at("context").as_object();
  RenderOptions options;
  options.now = 1741356309;
  int rendered = 0, failed = 0;
  for (const json::value& golden : goldens.at("cases").as_array()) {
    const std::string source(golden.at("source").as_string());
    const json::value* text = golden.as_object().if_contains("text");
    try {
      const std::string got = ChatTemplate::parse(source).render(context, options);
      ASSERT_NE(text, nullptr) << source << " gives " << got;
      EXPECT_EQ(got, std::string(text->as_string())) << source;
      ++rendered;
    } catch (const Error& error) {
      ASSERT_EQ(text, nullptr) << source << ": " << error.message();
      EXPECT_EQ(to_string(error.kind()), std::string(golden.at("kind").as_string())) << source;
      ++failed;
    }
  }
  EXPECT_GT(rendered, 350);
  EXPECT_GT(failed, 150);
}

}  // namespace
}  // namespace paro::text

int main(int argc, char** argv) {
  setenv("TZ", "UTC", 1);  // the goldens' clock
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
