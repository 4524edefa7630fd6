// Files: the goldens and the demo model, damaged files, shards and their index, and what the writer writes.
#include "checkpoint/safetensors.h"

#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <numeric>
#include <ostream>

#include "tests/base/temporary_directory.h"

namespace paro::test {
namespace {

const std::filesystem::path kSource = PARO_SOURCE_DIR;

template <typename Body>
std::string refusal(Body&& body) {
  return error_of(ErrorKind::checkpoint, std::forward<Body>(body));
}

template <typename T>
std::vector<T> read(const SafetensorsFiles& files, std::string_view name, int64_t first, size_t n) {
  std::vector<T> values(n);
  const StoredTensor* tensor = files.find(name);
  if (tensor == nullptr) {
    ADD_FAILURE() << name << " is not stored";
    return values;
  }
  files.read(*tensor, first * int64_t(sizeof(T)), std::as_writable_bytes(std::span(values)));
  return values;
}

std::string little_endian(uint64_t n) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += char(n >> 8 * i & 0xff);
  return bytes;
}

std::string file_of(const std::string& header, const std::string& data) {
  return little_endian(header.size()) + header + data;
}

// A file with one U8 tensor for each letter, a byte each.
std::string letters(const std::string& names) {
  std::string header;
  for (size_t i = 0; i < names.size(); ++i) {
    header += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[1],"data_offsets":[{},{}]}})", i == 0 ? "{" : ",", names[i],
                          i, i + 1);
  }
  return file_of(header + "}", names);
}

struct Golden {
  const char* name;
  size_t n_tensors;
  int64_t n_bytes;
};

void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.name; }

class GoldenSafetensors : public testing::TestWithParam<Golden> {};

TEST_P(GoldenSafetensors, OpenWithAllTheirTensors) {
  const auto files = SafetensorsFiles::open(kSource / "tests/goldens" / GetParam().name);
  EXPECT_EQ(files.files().size(), 1u);
  EXPECT_EQ(files.tensors().size(), GetParam().n_tensors);
  EXPECT_EQ(files.n_bytes(), GetParam().n_bytes);
  EXPECT_NO_THROW(SafetensorsFiles::open_file(kSource / "tests/goldens" / GetParam().name / "expected.safetensors"));
}

INSTANTIATE_TEST_SUITE_P(Goldens, GoldenSafetensors,
                         testing::Values(Golden{"gemma4-31b", 143, 424614}, Golden{"gemma4-e2b", 338, 1269068},
                                         Golden{"gemma4-moe", 395, 731190}, Golden{"llama", 135, 581824},
                                         Golden{"qwen3", 140, 410176}, Golden{"qwen3.5", 181, 648560},
                                         Golden{"qwen3.5-moe", 501, 935536}),
                         [](const auto& suite) {
                           std::string name = suite.param.name;
                           for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

TEST(Safetensors, ReadsTheValuesThatPythonReads) {
  const auto files = SafetensorsFiles::open(kSource / "tests/goldens/qwen3");
  EXPECT_EQ(files.find("model.norm.weight")->dtype, DType::f16);
  EXPECT_EQ(files.find("model.norm.weight")->shape, (Shape{128}));
  EXPECT_EQ(read<uint16_t>(files, "model.norm.weight", 0, 4), (std::vector<uint16_t>{15738, 14741, 14983, 15669}));
  const auto* name = "model.layers.0.self_attn.q_proj.qweight";
  EXPECT_EQ(files.find(name)->shape, (Shape{128, 16}));
  EXPECT_EQ(read<int32_t>(files, name, 0, 3), (std::vector<int32_t>{-1451915262, -1737856327, 2039855002}));
  EXPECT_EQ(read<int32_t>(files, name, 128 * 16 - 2, 2), (std::vector<int32_t>{1715902591, 107579735}));
  EXPECT_EQ(files.find("model.norm"), nullptr);
}

TEST(Safetensors, ReadsTheShardsOfTheDemoModel) {
  const auto files = SafetensorsFiles::open(kSource / "models/demo");
  EXPECT_EQ(files.files().size(), 2u);
  EXPECT_EQ(files.tensors().size(), 2084u);
  EXPECT_EQ(files.n_bytes(), 13928332);
  const auto* name = "model.language_model.norm.weight";
  EXPECT_EQ(files.files()[size_t(files.find(name)->file)].path().filename(), "model-00002-of-00002.safetensors");
  EXPECT_EQ(read<uint16_t>(files, name, 0, 4), (std::vector<uint16_t>{16412, 16260, 16331, 16278}));
  EXPECT_EQ(read<uint16_t>(files, name, 252, 4), (std::vector<uint16_t>{16365, 16043, 16247, 16123}));
}

TEST(Safetensors, RefusesToReadOutsideATensor) {
  const TemporaryDirectory directory;
  const auto files = SafetensorsFiles::open_file(directory.write("f", letters("abc")));
  std::array<std::byte, 2> out{};
  for (const int64_t begin : {int64_t(-1), int64_t(0), int64_t(1), INT64_MAX}) {
    error_of(ErrorKind::internal, [&] { files.read(*files.find("b"), begin, out); });
  }
  EXPECT_NO_THROW(files.read(*files.find("b"), 0, std::span(out).first(1)));
  EXPECT_EQ(out[0], std::byte{'b'});
  EXPECT_NO_THROW(files.read(*files.find("b"), 1, {}));
}

TEST(Safetensors, RefusesATruncatedFileAtEveryLength) {
  const TemporaryDirectory directory;
  const std::string whole = letters("abc");
  for (size_t n = 0; n < whole.size(); ++n) {
    const auto file = directory.write("model.safetensors", std::string_view(whole).substr(0, n));
    ASSERT_TRUE(
        contains(refusal([&] { SafetensorsFiles::open_file(file); }), {"model.safetensors", "is the file whole"}))
        << n << " bytes";
  }
  EXPECT_NO_THROW(SafetensorsFiles::open_file(directory.write("model.safetensors", whole)));
}

TEST(Safetensors, RefusesBytesAfterTheLastTensor) {
  const TemporaryDirectory directory;
  const auto file = directory.write("model.safetensors", letters("abc") + "d");
  EXPECT_TRUE(contains(refusal([&] { SafetensorsFiles::open_file(file); }), {"model.safetensors", "last tensor ends"}));
}

TEST(Safetensors, RefusesAHeaderPastTheEndOfTheFile) {
  const TemporaryDirectory directory;
  for (const uint64_t n_bytes :
       {uint64_t(3), uint64_t(100) << 20, (uint64_t(100) << 20) + 1, uint64_t(1) << 63, UINT64_MAX, UINT64_MAX - 7}) {
    const auto file = directory.write("model.safetensors", little_endian(n_bytes) + "{}");
    EXPECT_TRUE(contains(refusal([&] { SafetensorsFiles::open_file(file); }),
                         {"header of model.safetensors has " + std::to_string(n_bytes)}));
  }
}

TEST(Safetensors, AllowsSpacesAfterTheHeader) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(SafetensorsFiles::open_file(directory.write("f", file_of("{}      ", ""))).tensors().empty());
}

TEST(Safetensors, NamesADirectoryThatHoldsNoModel) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(contains(refusal([&] { SafetensorsFiles::open(directory.path()); }),
                       {directory.path().string(), "model.safetensors.index.json"}));
  EXPECT_TRUE(contains(refusal([&] { SafetensorsFiles::open(directory.path() / "gone"); }), {"gone"}));
}

// Shards 'one' with a and b, 'two' with c.
class ShardedSafetensors : public testing::Test {
 protected:
  ShardedSafetensors() {
    directory_.write("one", letters("ab"));
    directory_.write("two", letters("c"));
    index(R"({"a": "one", "b": "one", "c": "two"})");
  }

  void index(const std::string& weight_map) const {
    directory_.write("model.safetensors.index.json",
                     R"({"metadata": {"total_size": 3}, "weight_map": )" + weight_map + "}");
  }

  SafetensorsFiles open() const { return SafetensorsFiles::open(directory_.path()); }
  std::string refused() const {
    return refusal([&] { open(); });
  }

  const TemporaryDirectory directory_;
};

TEST_F(ShardedSafetensors, ReadEachTensorFromItsShard) {
  const auto files = open();
  EXPECT_EQ(files.tensors().size(), 3u);
  EXPECT_EQ(read<char>(files, "a", 0, 1), (std::vector<char>{'a'}));
  EXPECT_EQ(read<char>(files, "b", 0, 1), (std::vector<char>{'b'}));
  EXPECT_EQ(read<char>(files, "c", 0, 1), (std::vector<char>{'c'}));
}

TEST_F(ShardedSafetensors, NameAMissingShard) {
  std::filesystem::remove(directory_.path() / "two");
  EXPECT_TRUE(contains(refused(), {"1 of 2 shards", "'two'"}));
  directory_.write("model.safetensors", letters("xyz"));
  EXPECT_TRUE(contains(refused(), {"1 of 2 shards", "'two'"})) << "half a set of shards is a broken download";
}

TEST_F(ShardedSafetensors, WinOverASingleFile) {
  directory_.write("model.safetensors", letters("xyz"));
  EXPECT_EQ(open().tensors().begin()->first, "a");
}

TEST_F(ShardedSafetensors, GiveWayToASingleFileWhenNoneIsThere) {
  directory_.write("model.safetensors", letters("xyz"));
  index(R"({"a": "three", "b": "four"})");
  EXPECT_EQ(open().tensors().begin()->first, "x");
  std::filesystem::remove(directory_.path() / "model.safetensors");
  EXPECT_TRUE(contains(refused(), {"2 of 2 shards", "'four'"}));
}

TEST_F(ShardedSafetensors, NameATensorThatTheIndexDoesNotKnow) {
  index(R"({"a": "one", "c": "two"})");
  EXPECT_TRUE(contains(refused(), {"'b'", "'one'", "does not know"}));
}

TEST_F(ShardedSafetensors, NameATensorThatItsShardLacks) {
  index(R"({"a": "one", "b": "one", "c": "two", "d": "two"})");
  EXPECT_TRUE(contains(refused(), {"'d'", "'two'"}));
}

TEST_F(ShardedSafetensors, NameATensorThatIsInAnotherShard) {
  index(R"({"a": "one", "b": "two", "c": "two"})");
  EXPECT_TRUE(contains(refused(), {"'b'", "'one'", "'two'"}));
}

TEST_F(ShardedSafetensors, NameATensorThatIsInTwoShards) {
  directory_.write("two", letters("ca"));
  EXPECT_TRUE(contains(refused(), {"'a'", "'two'", "'one'"}));
}

TEST_F(ShardedSafetensors, RefuseFileNamesThatLeaveTheDirectory) {
  for (const char* name : {"../one", "/etc/passwd", "a/one", "", ".", "..", "one\\u0000", "a\\\\one"}) {
    index(fmt::format(R"({{"a": "{}"}})", name));
    EXPECT_TRUE(contains(refused(), {"'a' is in", "plain name"})) << name;
  }
}

TEST_F(ShardedSafetensors, RefuseAnIndexThatIsNone) {
  const auto with = [&](const char* text) {
    directory_.write("model.safetensors.index.json", text);
    return refused();
  };
  EXPECT_TRUE(contains(with("{"), {"model.safetensors.index.json", "not valid JSON"}));
  EXPECT_TRUE(contains(with("[]"), {"model.safetensors.index.json", "'weight_map' is absent"}));
  EXPECT_TRUE(contains(with(R"({"weight_map": []})"), {"'weight_map' is a list"}));
  EXPECT_TRUE(contains(with(R"({"weight_map": {"a": 3}})"), {"'a' is an integer", "a file name"}));
}

TEST(WriteSafetensors, IsReadBackAsWritten) {
  const TemporaryDirectory directory;
  const auto file = directory.path() / "model.safetensors";
  std::vector<uint16_t> halves(2 * 3 * 5);
  std::iota(halves.begin(), halves.end(), uint16_t(1000));
  const int64_t scalar = -5;
  const std::vector<TensorToWrite> tensors = {
      {"z \"quoted\" \n", DType::f16, {2, 3, 5}, [&](const auto& sink) { sink(std::as_bytes(std::span(halves))); }},
      {"none", DType::f32, {0, 4}, [](const auto&) {}},
      {"a", DType::i64, {}, [&](const auto& sink) { sink(std::as_bytes(std::span(&scalar, 1))); }},
  };
  write_safetensors(file, tensors);
  const auto files = SafetensorsFiles::open(directory.path());
  ASSERT_EQ(files.tensors().size(), 3u);
  EXPECT_EQ(files.find("z \"quoted\" \n")->shape, (Shape{2, 3, 5}));
  EXPECT_EQ(files.find("z \"quoted\" \n")->offset_bytes % 64, 0);
  EXPECT_EQ(read<uint16_t>(files, "z \"quoted\" \n", 0, 30), halves);
  EXPECT_EQ(read<int64_t>(files, "a", 0, 1), (std::vector<int64_t>{-5}));
  EXPECT_LT(files.find("z \"quoted\" \n")->offset_bytes, files.find("a")->offset_bytes) << "stored in the order given";
}

TEST(WriteSafetensors, StreamsALargeTensorInPieces) {
  const TemporaryDirectory directory;
  constexpr int64_t kElements = 5'000'003;
  const auto value_at = [](int64_t i) { return int32_t(i * 2654435761 >> 7); };
  const TensorToWrite tensor{"large", DType::i32, {kElements}, [&](const auto& sink) {
                               std::vector<int32_t> piece;
                               for (int64_t i = 0; i < kElements; ++i) {
                                 piece.push_back(value_at(i));
                                 if (int64_t(piece.size()) < 1 + i % 100'000 && i + 1 < kElements) continue;
                                 sink(std::as_bytes(std::span(piece)));
                                 piece.clear();
                               }
                             }};
  write_safetensors(directory.path() / "model.safetensors", std::span(&tensor, 1));
  const auto files = SafetensorsFiles::open(directory.path());
  EXPECT_EQ(files.n_bytes(), kElements * 4);
  constexpr int64_t kPiece = 99'991;
  for (int64_t first = 0; first < kElements; first += kPiece) {
    const auto piece = read<int32_t>(files, "large", first, size_t(std::min(kPiece, kElements - first)));
    for (size_t i = 0; i < piece.size(); ++i) ASSERT_EQ(piece[i], value_at(first + int64_t(i))) << first << " + " << i;
  }
}

TEST(WriteSafetensors, LeavesNoFileBehindWhenItFails) {
  const TemporaryDirectory directory;
  directory.write("model.safetensors", letters("a"));
  const auto file = directory.path() / "model.safetensors";
  const TensorToWrite tensor{"w", DType::u8, {4}, [](const auto&) { throw Error(ErrorKind::io, "no more"); }};
  EXPECT_EQ(error_of(ErrorKind::io, [&] { write_safetensors(file, std::span(&tensor, 1)); }), "no more");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
  EXPECT_NE(SafetensorsFiles::open(directory.path()).find("a"), nullptr) << "the file before it is untouched";
}

TEST(WriteSafetensors, HoldsFillToTheSizeOfItsTensor) {
  const TemporaryDirectory directory;
  const TensorToWrite tensor{"w", DType::u8, {4}, [](const auto& sink) { sink(std::array<std::byte, 3>{}); }};
  EXPECT_TRUE(
      contains(error_of(ErrorKind::internal, [&] { write_safetensors(directory.path() / "f", std::span(&tensor, 1)); }),
               {"'w': 3 bytes of 4"}));
}

TEST(WriteSafetensors, RefusesSizesBeyond64Bits) {
  const TemporaryDirectory directory;
  const TensorToWrite tensor{"w", DType::f32, {int64_t(1) << 40, int64_t(1) << 40}, [](const auto&) {}};
  EXPECT_TRUE(contains(refusal([&] { write_safetensors(directory.path() / "f", std::span(&tensor, 1)); }),
                       {"'w'", "exceeds 64 bits"}));
}

TEST(WriteSafetensors, NamesAPathThatCannotBeWritten) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(contains(error_of(ErrorKind::io, [&] { write_safetensors(directory.path() / "gone/f", {}); }),
                       {"cannot create", "gone/f", "No such file"}));
}

}  // namespace
}  // namespace paro::test
