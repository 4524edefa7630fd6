// Every kind of wrong tokenizer.json is an Error{tokenizer} that says where.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/error.h"
#include "text/tokenizer.h"

namespace paro::text {
namespace {

std::string error_of(std::string_view json) {
  try {
    (void)Tokenizer::from_json(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::tokenizer) << error.what();
    return error.what();
  }
  return "no error";
}

// A tokenizer whose top level has `members`, and whose model is small and right.
std::string with(std::string_view members) {
  return fmt::format(R"({{{}, "model": {{"type": "BPE", "vocab": {{"a": 0, "b": 1, "ab": 2}}, "merges": ["a b"]}}}})",
                     members);
}

std::string with_model(std::string_view members) { return fmt::format(R"({{"model": {{{}}}}})", members); }

struct Case {
  std::string json;
  std::string_view part;  // of the message
};

void expect_errors(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    const std::string message = error_of(each.json);
    EXPECT_NE(message.find(each.part), std::string::npos)
        << each.json << "\n  gives: " << message << "\n  not: " << each.part;
  }
}

TEST(TokenizerErrors, SmallestTokenizerLoads) { EXPECT_EQ(error_of(with(R"("version": "1.0")")), "no error"); }

TEST(TokenizerErrors, NameBrokenJson) {
  expect_errors({{"", "no JSON"},
                 {"{", "no JSON"},
                 {"{} x", "at byte 3"},
                 {"[1, 2", "no JSON"},
                 {std::string(100, '['), "no JSON"},
                 {"{\"model\": \"\xFF\"}", "no JSON"},
                 {"[]", "tokenizer: expected an object, got an array"},
                 {"{}", "member 'model' is missing"},
                 {R"({"model": null})", "tokenizer.model: expected an object, got null"}});
}

TEST(TokenizerErrors, NameTheMemberOfTheModel) {
  expect_errors({
      {with_model(R"("type": "WordPiece", "vocab": {"a": 0}, "merges": [])"), "model type 'WordPiece'"},
      {with_model(R"("merges": [])"), "member 'vocab'"},
      {with_model(R"("vocab": {"a": 0})"), "member 'merges'"},
      {with_model(R"("vocab": {}, "merges": [])"), "vocab is empty"},
      {with_model(R"("vocab": [["a", 0]], "merges": [])"), "member 'vocab'"},
      {with_model(R"("vocab": {"a": "0"}, "merges": [])"), "expected an id for token 'a', got a string"},
      {with_model(R"("vocab": {"a": -1}, "merges": [])"), "no id"},
      {with_model(R"("vocab": {"a": 1.5}, "merges": [])"), "no integer"},
      {with_model(R"("vocab": {"a": null}, "merges": [])"), "got null"},
      {with_model(R"("vocab": {"a": true}, "merges": [])"), "got a boolean"},
      {with_model(R"("vocab": {"a": {}}, "merges": [])"), "got an object"},
      {with_model(R"("vocab": {"a": []}, "merges": [])"), "got an array"},
      {with_model(R"("vocab": {"a": 99999999999}, "merges": [])"), "no id"},
      {with_model(R"("vocab": {"a": 9999999}, "merges": [])"), "out of proportion"},
      {with_model(R"("vocab": {"a": 0, "b": 0}, "merges": [])"), "'a' and 'b' have the same id 0"},
      {with_model(R"("vocab": {"a": 0, "a": 1}, "merges": [])"), "token 'a' is there twice"},
      {with_model(R"("vocab": {"a": 0}, "merges": ["a"])"), "merges[0]: expected two strings, got 'a'"},
      {with_model(R"("vocab": {"a": 0}, "merges": ["a a a"])"), "expected two strings"},
      {with_model(R"("vocab": {"a": 0}, "merges": [["a"]])"), "got an array of 1"},
      {with_model(R"("vocab": {"a": 0}, "merges": [["a", "a", "a"]])"), "got an array of 3"},
      {with_model(R"("vocab": {"a": 0}, "merges": [["a", ["a"]]])"), "got an array"},
      {with_model(R"("vocab": {"a": 0}, "merges": [["a", 1]])"), "got a number"},
      {with_model(R"("vocab": {"a": 0}, "merges": [{}])"), "got an object"},
      {with_model(R"("vocab": {"a": 0}, "merges": [null])"), "got null"},
      {with_model(R"("vocab": {"a": 0}, "merges": [["a", "b"]])"), "merges[0]: token 'b' is not in the vocabulary"},
      {with_model(R"("vocab": {"a": 0, "b": 1}, "merges": [["a", "b"]])"), "token 'ab' is not in the vocabulary"},
      {with_model(R"("vocab": {"a": 0}, "merges": [["", "a"]])"), "token '' is not"},
      {with_model(R"("vocab": {"a": 0}, "merges": [], "unk_token": "u")"), "unk_token: 'u' is not"},
      {with_model(R"("vocab": {"a": 0}, "merges": [], "unk_token": 3)"),
       "model.unk_token: expected a string, got a number"},
      {with_model(R"("vocab": {"a": 0}, "merges": [], "dropout": 0.1)"), "dropout is not supported"},
      {with_model(R"("vocab": {"a": 0}, "merges": [], "end_of_word_suffix": "</w>")"), "a word affix is not supported"},
      {with_model(R"("vocab": {"a": 0}, "merges": [], "byte_fallback": 1)"),
       "model.byte_fallback: expected true or false"},
  });
}

TEST(TokenizerErrors, NameTheUnsupportedPart) {
  expect_errors({
      {with(R"("version": "2.0")"), "a version other than '1.0'"},
      {with(R"("normalizer": {"type": "Precompiled"})"),
       "tokenizer.normalizer: normalizer 'Precompiled' is not supported"},
      {with(R"("normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Nmt"}]})"),
       "normalizer.normalizers[1]: normalizer 'Nmt'"},
      {with(R"("normalizer": {"type": "Sequence"})"), "member 'normalizers' is missing"},
      {with(R"("normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": ""})"), "not empty"},
      {with(R"("normalizer": {"type": "Replace", "pattern": {"Glob": "*"}, "content": ""})"), "'String' or 'Regex'"},
      {with(R"("normalizer": {"type": "Replace", "pattern": {"Regex": "("}, "content": ""})"), "does not compile"},
      {with(R"("normalizer": {"type": "Strip", "strip_left": 1, "strip_right": true})"),
       "strip_left: expected true or false"},
      {with(R"("pre_tokenizer": {"type": "BertPreTokenizer"})"), "pre-tokenizer 'BertPreTokenizer'"},
      {with(R"("pre_tokenizer": {"type": "Split", "pattern": {"String": "a"}, "behavior": "Merged", "invert": false})"),
       "behavior: expected Removed"},
      {with(R"("pre_tokenizer": {"type": "Metaspace", "replacement": "xy"})"), "a single character, got 'xy'"},
      {with(R"("pre_tokenizer": {"type": "Metaspace", "replacement": "x", "prepend_scheme": "last"})"), "got 'last'"},
      {with(R"("pre_tokenizer": {"type": "ByteLevel"})"), "member 'add_prefix_space' is missing"},
      {with(R"("post_processor": {"type": "RobertaProcessing"})"), "post-processor 'RobertaProcessing'"},
      {with(
           R"("post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B"}}], "special_tokens": {}})"),
       "expected 'A'"},
      {with(R"("post_processor": {"type": "TemplateProcessing", "single": [], "special_tokens": {}})"),
       "without the text"},
      {with(
           R"("post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}], "special_tokens": {}})"),
       "special_tokens: member 'x' is missing"},
      {with(R"("decoder": {"type": "CTC"})"), "decoder 'CTC' is not supported"},
      {with(R"("decoder": {"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "ByteFallback"}]})"),
       "'ByteFallback' after Fuse"},
      {with(R"("decoder": {"type": "Strip", "content": " ", "start": -1, "stop": 0})"),
       "start: expected an integer from 0"},
      {with(R"("added_tokens": {})"), "added_tokens: expected an array"},
      {with(R"("added_tokens": [{"content": "x"}])"), "added_tokens[0]: member 'id' is missing"},
  });
}

TEST(TokenizerErrors, NameAddedTokensThatNormalizeAlike) {
  const auto token = [](std::string_view content) {
    return fmt::format(R"({{"id": 9, "content": "{}", "single_word": false, "lstrip": false, "rstrip": false, )"
                       R"("normalized": true, "special": false}})",
                       content);
  };
  expect_errors(
      {{with(fmt::format(R"("normalizer": {{"type": "Lowercase"}}, "added_tokens": [{}, {}])", token("X"), token("x"))),
        "'X' and 'x' are the same when normalized"},
       {with(fmt::format(
            R"("normalizer": {{"type": "Strip", "strip_left": true, "strip_right": true}}, "added_tokens": [{}])",
            token(" "))),
        "' ' is empty when normalized"}});
}

}  // namespace
}  // namespace paro::text
