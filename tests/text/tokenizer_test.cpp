#include "text/tokenizer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "text/bpe_merges.h"
#include "text/stream_decoder.h"
#include "text/tokenizer_added.h"
#include "text/tokenizer_strings.h"
#include "text/utf8.h"

namespace {

std::atomic<int64_t> heap_bytes = 0;
constexpr size_t kHeaderBytes = alignof(std::max_align_t);

}  // namespace

// Counts what the program holds, so that memory_bytes can be compared with it.
void* operator new(size_t size) {
  auto* block = static_cast<size_t*>(std::malloc(size + kHeaderBytes));
  if (block == nullptr) throw std::bad_alloc();
  *block = size;
  heap_bytes += int64_t(size);
  return reinterpret_cast<char*>(block) + kHeaderBytes;
}
void operator delete(void* pointer) noexcept {
  if (pointer == nullptr) return;
  auto* block = reinterpret_cast<size_t*>(static_cast<char*>(pointer) - kHeaderBytes);
  heap_bytes -= int64_t(*block);
  std::free(block);
}
void operator delete(void* pointer, size_t) noexcept { operator delete(pointer); }

namespace paro::text {
namespace {

using Ids = std::vector<int32_t>;

const Tokenizer& demo() {
  static const Tokenizer tokenizer =
      Tokenizer::from_json(read_text_file(fmt::format("{}/models/demo/tokenizer.json", PARO_SOURCE_DIR), 1 << 24));
  return tokenizer;
}

// Bytes 0 to 255 are tokens 3 to 258, after them a few characters.
std::string byte_tokenizer(std::string_view decoder) {
  std::string vocab = R"("<unk>": 0, "<s>": 1, "</s>": 2)";
  for (int byte = 0; byte < 256; ++byte) vocab += fmt::format(R"(, "<0x{:02X}>": {})", byte, byte + 3);
  vocab += R"(, "a": 259, "b": 260, "ab": 261, "▁": 262)";
  return fmt::format(
      R"({{"added_tokens": [{{"id": 1, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, )"
      R"("normalized": false, "special": true}}], "decoder": {}, "model": {{"byte_fallback": true, "unk_token": "<unk>", )"
      R"("vocab": {{{}}}, "merges": [["a", "b"]]}}}})",
      decoder, vocab);
}

constexpr std::string_view kGemmaDecoder =
    R"({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"}, {"type": "Fuse"}]})";

TEST(Tokenizer, FindsTokensByTheirText) {
  EXPECT_EQ(demo().token_id("<bos>"), 2);
  EXPECT_EQ(demo().token_id("<turn|>"), 106);
  EXPECT_EQ(demo().token_id("<0x41>"), demo().token_id("<0x40>").value() + 1);
  EXPECT_EQ(demo().token_id("no such token"), std::nullopt);
  EXPECT_EQ(demo().token_id(""), std::nullopt);
  EXPECT_EQ(demo().vocab_size(), 3072);
}

TEST(Tokenizer, KnowsSpecialTokens) {
  EXPECT_TRUE(demo().is_special(2));
  EXPECT_FALSE(demo().is_special(48));  // <|tool_call> stays visible
  EXPECT_FALSE(demo().is_special(1000));
  EXPECT_FALSE(demo().is_special(-1));
  EXPECT_FALSE(demo().is_special(INT32_MAX));
}

TEST(Tokenizer, AddsSpecialTokensOnRequest) {
  EXPECT_EQ(demo().encode("", true), Ids{2});
  EXPECT_EQ(demo().encode("", false), Ids{});
  const Ids plain = demo().encode("hello", false);
  Ids with_bos = {2};
  with_bos.insert(with_bos.end(), plain.begin(), plain.end());
  EXPECT_EQ(demo().encode("hello", true), with_bos);
}

TEST(Tokenizer, RecognisesAddedTokensInsideOfText) {
  EXPECT_EQ(demo().encode("<|turn><turn|>", false), (Ids{105, 106}));
  const Ids ids = demo().encode("a<bos>a", false);
  ASSERT_EQ(ids.size(), 3u);
  EXPECT_EQ(ids[1], 2);
  EXPECT_EQ(ids[0], ids[2]);
}

TEST(Tokenizer, EncodesByteFallback) {
  const Tokenizer tokenizer = Tokenizer::from_json(byte_tokenizer(kGemmaDecoder));
  EXPECT_EQ(tokenizer.encode("abé", false), (Ids{261, 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(tokenizer.encode(std::string_view("\0", 1), false), Ids{3});
}

TEST(Tokenizer, EncodesInvalidUtf8AsReplacementCharacters) {
  EXPECT_EQ(demo().encode("a\xFF\xE2\x82z", false), demo().encode("a\uFFFD\uFFFDz", false));
}

TEST(Tokenizer, GivesTheBytesOfATokenInsideOfText) {
  const Tokenizer tokenizer = Tokenizer::from_json(byte_tokenizer(kGemmaDecoder));
  EXPECT_EQ(tokenizer.token_bytes(3 + 0xC3), "\xC3");
  EXPECT_EQ(tokenizer.token_bytes(262), " ");
  EXPECT_EQ(tokenizer.token_bytes(261), "ab");
  EXPECT_EQ(tokenizer.token_bytes(1), "<s>");
  EXPECT_EQ(tokenizer.token_bytes(-1), "");
  EXPECT_EQ(tokenizer.token_bytes(5000), "");
}

TEST(Tokenizer, AByteRunThatIsNoUtf8BecomesOneReplacementPerByte) {
  const Tokenizer tokenizer = Tokenizer::from_json(byte_tokenizer(kGemmaDecoder));
  EXPECT_EQ(tokenizer.decode(Ids{3 + 0xC3, 3 + 0xA9}, false), "é");
  EXPECT_EQ(tokenizer.decode(Ids{3 + 0xC3, 3 + 0xA9, 3 + 0xFF}, false), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(tokenizer.decode(Ids{3 + 0xC3, 259, 3 + 0xA9}, false), "\uFFFDa\uFFFD");
}

TEST(Tokenizer, DecodingPassesOverUnknownIds) {
  EXPECT_EQ(demo().decode(Ids{-5, 4000, INT32_MAX, INT32_MIN}, false), "");
  EXPECT_EQ(demo().decode(Ids{2}, false), "<bos>");
  EXPECT_EQ(demo().decode(Ids{2}, true), "");
}

TEST(Tokenizer, NumbersAddedTokensOnFromTheVocabulary) {
  const Tokenizer tokenizer = Tokenizer::from_json(
      R"({"added_tokens": [{"id": 7, "content": "<x>", "single_word": false, "lstrip": false, "rstrip": false,
                            "normalized": false, "special": true}],
          "model": {"vocab": {"a": 0, "b": 1}, "merges": []}})");
  EXPECT_EQ(tokenizer.encode("a<x>b", false), (Ids{0, 2, 1}));
  EXPECT_EQ(tokenizer.vocab_size(), 3);
}

// Every demo token that is text comes back from its own bytes, whatever else the text is made of.
TEST(Tokenizer, DecodingUndoesEncoding) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (int i = 0; i < 40; ++i) {
      const uint32_t kind = random() % 4;
      append_utf8(text, char32_t(kind == 0   ? 0x4E00 + random() % 500
                                 : kind == 1 ? 0x1F600 + random() % 64
                                             : 0x20 + random() % 95));
    }
    EXPECT_EQ(demo().decode(demo().encode(text, false), false), text);
  }
}

TEST(Tokenizer, LongTextsAreEncodedLikeTheirParts) {
  // One word of a million characters: the queue gives the merges that the short way gives.
  const Tokenizer tokenizer = Tokenizer::from_json(byte_tokenizer(kGemmaDecoder));
  std::string text;
  Ids expected;
  for (int i = 0; i < 300000; ++i) {
    text += "aab";
    expected.push_back(259);
    expected.push_back(261);
  }
  EXPECT_EQ(tokenizer.encode(text, false), expected);
}

TEST(Tokenizer, MegabyteOfOneCharacterTakesNoQuadraticTime) {
  const std::string spaces(1 << 20, ' ');
  EXPECT_EQ(demo().decode(demo().encode(spaces, false), false), spaces);
  const std::string letters(1 << 20, 'a');
  EXPECT_EQ(demo().decode(demo().encode(letters, false), false), letters);
}

TEST(Tokenizer, MemoryBytesIsWhatItHolds) {
  // Many tokens, so that tables outweigh small objects.
  std::string vocab;
  for (int i = 0; i < 50000; ++i) vocab += fmt::format(R"({}"t{}": {})", i == 0 ? "" : ", ", i, i);
  const std::string json = fmt::format(R"({{"model": {{"vocab": {{{}}}, "merges": []}}}})", vocab);
  const int64_t before = heap_bytes;
  const Tokenizer tokenizer = Tokenizer::from_json(json);
  const int64_t held = heap_bytes - before;
  EXPECT_NEAR(double(tokenizer.memory_bytes()), double(held), 0.02 * double(held));
  EXPECT_LT(held, 50000 * 40);
}

TEST(StreamDecoder, NeverCutsACharacter) {
  const Tokenizer tokenizer = Tokenizer::from_json(byte_tokenizer(kGemmaDecoder));
  StreamDecoder decoder(tokenizer, false);
  EXPECT_EQ(decoder.push(259), "a");
  EXPECT_EQ(decoder.push(3 + 0xE2), "");
  EXPECT_EQ(decoder.push(3 + 0x82), "");
  EXPECT_EQ(decoder.push(3 + 0xAC), "");
  EXPECT_EQ(decoder.push(260), "€b");
  EXPECT_EQ(decoder.push(3 + 0xE2), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.finish(), "");
  EXPECT_EQ(decoder.push(260), "b");
}

TEST(StreamDecoder, StripsTheStartOnce) {
  const Tokenizer tokenizer = Tokenizer::from_json(byte_tokenizer(
      R"({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
          {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})"));
  StreamDecoder decoder(tokenizer, true);
  EXPECT_EQ(decoder.push(1), "");
  EXPECT_EQ(decoder.push(262), "");
  EXPECT_EQ(decoder.push(262), " ");
  EXPECT_EQ(decoder.push(259), "a");
  EXPECT_EQ(decoder.push(262), " ");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(StreamDecoder, LeavesOutSpecialTokensInsideOfAByteRun) {
  const Tokenizer tokenizer = Tokenizer::from_json(byte_tokenizer(kGemmaDecoder));
  StreamDecoder decoder(tokenizer, true);
  EXPECT_EQ(decoder.push(3 + 0xC3), "");
  EXPECT_EQ(decoder.push(1), "");
  EXPECT_EQ(decoder.push(3 + 0xA9), "");
  EXPECT_EQ(decoder.finish(), "é");
}

TEST(ByteTrie, FindsTheLongestStringAtAPosition) {
  const ByteTrie trie({{"ab", 0}, {"abcd", 1}, {"b", 2}, {"abx", 3}, {"\xFF", 4}});
  EXPECT_EQ(trie.longest_at("abcde", 0).value, 1u);
  EXPECT_EQ(trie.longest_at("abce", 0).value, 0u);
  EXPECT_EQ(trie.longest_at("abce", 0).length_bytes, 2u);
  EXPECT_EQ(trie.longest_at("abx", 0).value, 3u);
  EXPECT_EQ(trie.longest_at("a", 0).value, ByteTrie::kNone);
  EXPECT_EQ(trie.longest_at("ab", 1).value, 2u);
  EXPECT_EQ(trie.longest_at("\xFF", 0).value, 4u);
  EXPECT_EQ(ByteTrie().longest_at("a", 0).value, ByteTrie::kNone);
}

TEST(StringTable, FindsEveryStringAndNoOther) {
  for (const int n : {0, 1, 2, 3, 100, 5000}) {
    StringPool pool;
    for (int i = 0; i < n; ++i) pool.append(std::to_string(i * 7));
    const StringTable table(std::move(pool));
    for (int i = 0; i < n * 7; ++i) {
      EXPECT_EQ(table.find(std::to_string(i)), i % 7 == 0 ? uint32_t(i / 7) : StringTable::kNone);
    }
  }
}

TEST(BpeMerges, SayWhereATextMayBeCut) {
  StringPool tokens;
  for (const char* token : {"a", "b", "c", "ab", "abc"}) tokens.append(token);
  const StringTable vocab(std::move(tokens));
  StringPool pairs;
  for (const char* token : {"a", "b", "ab", "c"}) pairs.append(token);
  const BpeMerges merges(pairs, vocab);
  EXPECT_EQ(merges.find(0, 1).result, 3u);
  EXPECT_EQ(merges.find(3, 2).rank, 1u);
  EXPECT_EQ(merges.find(1, 0).rank, Merge::kNone);
  EXPECT_TRUE(merges.may_join('a', 'b'));
  EXPECT_TRUE(merges.may_join('b', 'c'));
  EXPECT_TRUE(merges.uses(3));
  EXPECT_FALSE(merges.uses(4));
  int n_joins = 0;
  for (char32_t left = 'A'; left <= 'z'; ++left) {
    for (char32_t right = 'A'; right <= 'z'; ++right) n_joins += merges.may_join(left, right);
  }
  EXPECT_LT(n_joins, 400);  // of 3364; two are real
}

}  // namespace
}  // namespace paro::text
