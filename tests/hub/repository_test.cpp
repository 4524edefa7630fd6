#include "hub/repository.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace paro::hub {
namespace {

const std::string kCommit(40, 'a');

Repository parse_files(const std::string& files) {
  return parse_repository(R"({"sha": ")" + kCommit + R"(", "siblings": [)" + files + "]}", "hub");
}

std::string message_of(const std::string& files) {
  try {
    parse_files(files);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

TEST(Repository, TellsSizesAndDigestsOfItsFiles) {
  const std::string sha256(64, 'b'), sha1(40, 'c');
  const Repository repository =
      parse_files(R"({"rfilename": "config.json", "size": 10, "blobId": ")" + sha1 +
                  R"("}, {"rfilename": "model.safetensors", "size": 9000000000, "blobId": ")" + sha1 +
                  R"(", "lfs": {"sha256": ")" + sha256 + R"("}})");
  EXPECT_EQ(repository.commit, kCommit);
  ASSERT_NE(repository.find("config.json"), nullptr);
  EXPECT_EQ(repository.find("config.json")->git_sha1, sha1);
  EXPECT_EQ(repository.find("config.json")->size_bytes, 10);
  EXPECT_EQ(repository.find("model.safetensors")->sha256, sha256);
  EXPECT_EQ(repository.find("model.safetensors")->git_sha1, "");
  EXPECT_EQ(repository.find("model.safetensors")->size_bytes, 9000000000);
  EXPECT_EQ(repository.find("other"), nullptr);
}

TEST(Repository, RefusesNamesThatLeadOutOfTheDirectory) {
  for (const std::string name : {"..", ".", "", "/a", "a/", "a//b", "../a", "a/../b", "a\\\\b", "a\\u0000b", "C:a"})
    EXPECT_NE(message_of(R"({"rfilename": ")" + name + R"(", "size": 1})"), "") << name;
  for (const std::string name : {"a", "a/b", "..a", "a..", "a b", ".gitattributes", "caf\\u00e9"})
    EXPECT_EQ(message_of(R"({"rfilename": ")" + name + R"(", "size": 1})"), "") << name;
}

TEST(Repository, RefusesSizesAndDigestsThatCannotBe) {
  EXPECT_NE(message_of(R"({"rfilename": "a", "size": -1})"), "");
  EXPECT_NE(message_of(R"({"rfilename": "a", "size": 9000000000000000000})"), "");
  EXPECT_NE(message_of(R"({"rfilename": "a", "size": 1, "lfs": {"sha256": "abc"}})"), "");
  EXPECT_NE(message_of(R"({"rfilename": "a", "size": 1, "lfs": {}})"), "");
  EXPECT_NE(message_of(R"({"rfilename": "a"}, {"rfilename": "a"})"), "");
}

TEST(Repository, NamesAreAnOrganisationAndAModel) {
  for (const std::string name : {"a/b", "some-org/Model_1.5-4bit"}) EXPECT_TRUE(is_repository_name(name)) << name;
  for (const std::string name : {"", "a", "/a", "a/", "a/b/c", "../a", "a/..", "./a", "a b/c", "~/a"})
    EXPECT_FALSE(is_repository_name(name)) << name;
}

TEST(WeightIndex, NamesEachFileOnce) {
  const std::vector<std::string> expected{"1.safetensors", "2.safetensors"};
  EXPECT_EQ(parse_weight_index(R"({"weight_map": {"a": "2.safetensors", "b": "1.safetensors", "c": "2.safetensors"}})",
                               "index"),
            expected);
}

TEST(WeightIndex, RefusesFilesElsewhere) {
  for (const std::string name : {"../a", "a/b", "/a", ""})
    EXPECT_THROW(parse_weight_index(R"({"weight_map": {"a": ")" + name + R"("}})", "index"), Error) << name;
  EXPECT_THROW(parse_weight_index(R"({"weight_map": {"a": 1}})", "index"), Error);
  EXPECT_THROW(parse_weight_index("{}", "index"), Error);
  EXPECT_THROW(parse_weight_index("", "index"), Error);
}

}  // namespace
}  // namespace paro::hub
