#include <boost/json/parse.hpp>
#include <set>

#include "server/openapi/openapi.h"
#include "server/routes.h"
#include "tests/server/server_fixture.h"

namespace paro {
namespace {

namespace json = boost::json;
using server::Route;

json::value document() {
  const std::string_view text = server::openapi_text();
  return json::parse(json::string_view(text.data(), text.size()));
}

std::string spelled(std::string_view method, std::string_view path) { return fmt::format("{} {}", method, path); }

std::string method_of(const Route& route) { return route.method == boost::beast::http::verb::get ? "get" : "post"; }

// A path without the name in braces and what follows it, as the routes have it.
std::string_view fixed_part(std::string_view path) { return path.substr(0, path.find('{')); }

void each_operation(const json::value& document, auto&& visit) {
  for (const auto& [path, item] : document.at("paths").as_object())
    for (const auto& [method, operation] : item.as_object())
      visit(std::string_view(method), std::string_view(path), operation.as_object());
}

void collect_references(const json::value& value, std::set<std::string>& found) {
  if (const json::array* array = value.if_array()) {
    for (const json::value& element : *array) collect_references(element, found);
  } else if (const json::object* object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      if (key == "$ref")
        found.emplace(member.as_string());
      else
        collect_references(member, found);
    }
  }
}

TEST(Openapi, DocumentsEveryRouteAndNoOther) {
  std::set<std::string> documented, routed;
  each_operation(document(), [&](std::string_view method, std::string_view path, const json::object&) {
    documented.insert(spelled(method, fixed_part(path)));
  });
  for (const Route& route : server::all_routes()) routed.insert(spelled(method_of(route), route.path));
  EXPECT_EQ(documented, routed);
}

TEST(Openapi, SaysWhichRoutesNeedAKey) {
  each_operation(document(), [](std::string_view method, std::string_view path, const json::object& operation) {
    const json::value* security = operation.if_contains("security");
    const bool needs_key = security == nullptr || !security->as_array().empty();
    for (const Route& route : server::all_routes())
      if (method == method_of(route) && fixed_part(path) == route.path) {
        EXPECT_EQ(needs_key, route.needs_key) << path;
        EXPECT_EQ(operation.at("responses").as_object().contains("401"), route.needs_key) << path;
      }
  });
}

TEST(Openapi, NamesEachOperationOnceAndTellsItsAnswer) {
  std::set<std::string> names;
  each_operation(document(), [&](std::string_view method, std::string_view path, const json::object& operation) {
    EXPECT_TRUE(names.emplace(operation.at("operationId").as_string()).second) << path;
    EXPECT_TRUE(operation.at("responses").as_object().contains("200")) << path;
    EXPECT_EQ(operation.contains("requestBody"), method == "post") << path;
  });
}

TEST(Openapi, RefersOnlyToWhatItHas) {
  const json::value whole = document();
  std::set<std::string> references;
  collect_references(whole, references);
  EXPECT_FALSE(references.empty());
  for (const std::string& reference : references) {
    boost::system::error_code missing;
    EXPECT_TRUE(reference.starts_with("#/") && whole.find_pointer(reference.substr(1), missing) != nullptr)
        << reference;
  }
}

TEST(Openapi, UsesAllThatItDefines) {
  const json::value whole = document();
  std::set<std::string> references;
  collect_references(whole, references);
  for (const std::string_view kind : {"parameters", "responses", "schemas"})
    for (const auto& [name, component] : whole.at("components").at(kind).as_object())
      EXPECT_TRUE(references.contains(fmt::format("#/components/{}/{}", kind, std::string_view(name)))) << name;
}

class OpenapiRoute : public ServerTest {};

TEST_F(OpenapiRoute, GivesTheDocumentWithoutAKey) {
  options.api_keys = {"secret"};
  start();
  const HttpAnswer answer = HttpClient(port()).get("/openapi.json");
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.fields[boost::beast::http::field::content_type], "application/json");
  EXPECT_EQ(answer.body, server::openapi_text());
  EXPECT_EQ(answer.json().at("info").at("version"), PARO_VERSION);
}

}  // namespace
}  // namespace paro
