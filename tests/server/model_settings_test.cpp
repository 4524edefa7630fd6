#include "server/model_settings.h"

#include "tests/server/server_fixture.h"

namespace paro {
namespace {

using server::ModelSettings;
using server::parse_model_settings;

std::string message_of(std::string_view text) {
  try {
    parse_model_settings(text, "settings", "demo");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    return error.message();
  }
  return "";
}

TEST(ModelSettings, AreReadWhereTheyAreSet) {
  const ModelSettings settings = parse_model_settings(
      R"({"temperature": 0.5, "top_p": 1, "top_k": -1, "min_p": null, "repetition_penalty": 1.1, "max_tokens": 100,
          "max_context_window": 4096, "mtp_enabled": true, "model_alias": "small", "display_name": "Demo"})",
      "settings", "demo");
  EXPECT_EQ(settings.temperature, 0.5f);
  EXPECT_EQ(settings.top_p, 1.0f);
  EXPECT_EQ(settings.top_k, 0);
  EXPECT_EQ(settings.min_p, std::nullopt);
  EXPECT_EQ(settings.repetition_penalty, 1.1f);
  EXPECT_EQ(settings.presence_penalty, std::nullopt);
  EXPECT_EQ(settings.max_tokens, 100);
  EXPECT_EQ(settings.max_context_window, 4096);
  EXPECT_TRUE(settings.mtp_enabled);
  EXPECT_EQ(settings.model_alias, "small");
  EXPECT_EQ(settings.display_name, "Demo");
  EXPECT_TRUE(settings.unused.empty());
}

TEST(ModelSettings, OfSeveralModelsThoseOfTheServedOneHold) {
  const std::string file = R"({"version": 1, "models": {"other": {"top_k": 1}, "demo": {"top_k": 2}}})";
  EXPECT_EQ(parse_model_settings(file, "settings", "demo").top_k, 2);
  EXPECT_NE(message_of(R"({"models": {"other": {}}})").find("'demo'"), std::string::npos);
}

TEST(ModelSettings, WhatIsSetInVainIsNamed) {
  const ModelSettings settings = parse_model_settings(
      R"({"ttl_seconds": 60, "is_pinned": false, "guided_grammar": null, "temprature": 1, "description": "x"})",
      "settings", "demo");
  const std::vector<std::string> expected{"ttl_seconds", "temprature"};
  EXPECT_EQ(settings.unused, expected);
}

TEST(ModelSettings, ValuesThatMeanNothingAreRefusedByKey) {
  for (const std::string key :
       {"temperature", "top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty", "top_k",
        "max_tokens", "max_context_window", "mtp_enabled", "model_alias", "display_name"}) {
    EXPECT_NE(message_of(R"({")" + key + R"(": [1]})").find("'" + key + "'"), std::string::npos) << key;
  }
  for (const std::string text :
       {R"({"temperature": 2.5})", R"({"temperature": -1})", R"({"top_p": 1.5})", R"({"repetition_penalty": 0})",
        R"({"top_k": -2})", R"({"top_k": 1.5})", R"({"max_tokens": 0})", R"({"max_context_window": 1e12})",
        R"({"models": []})", R"({"models": {"demo": 1}})", "[]", "{", ""})
    EXPECT_NE(message_of(text), "") << text;
}

class Settings : public ServerTest {};

TEST_F(Settings, HoldWhereTheRequestSaysNothing) {
  options.min_p = 0.25f;
  options.repetition_penalty = 1.5f;
  options.max_tokens = 7;
  start();
  EXPECT_EQ(chat().status, 200u);
  EXPECT_EQ(chat(R"("min_p":0.5,"max_tokens":9)").status, 200u);
  const std::vector<GenerationRequest> requests = engine.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].sampling.min_p, 0.25f);
  EXPECT_EQ(requests[0].sampling.repetition_penalty, 1.5f);
  EXPECT_EQ(requests[0].max_tokens, 7);
  EXPECT_EQ(requests[1].sampling.min_p, 0.5f);
  EXPECT_EQ(requests[1].sampling.repetition_penalty, 1.5f);
  EXPECT_EQ(requests[1].max_tokens, 9);
}

TEST_F(Settings, ADefaultOfTokensYieldsToWhatTheContextLeaves) {
  options.max_tokens = 1 << 30;
  start();
  EXPECT_EQ(chat().status, 200u);
  EXPECT_LT(engine.requests().at(0).max_tokens, engine.model_info.max_context);
}

}  // namespace
}  // namespace paro
