#include "text/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "base/error.h"
#include "text/utf8.h"

namespace paro::text {

namespace {

// Up to here, looking through all symbols for the best merge beats a queue.
constexpr size_t kShortWord = 24;
constexpr char32_t kNoChar = 0xFFFFFFFF;

}  // namespace

Bpe::Bpe(TokenizerJson& file) {
  const JsonNode model = JsonNode(file.root, "tokenizer").at("model");
  read_options(model);
  if (!file.has_vocab) model.fail("an object with member 'vocab', an object of ids");
  if (!file.has_merges) model.fail("an object with member 'merges', an array");
  build_vocab(file);
  merges_ = BpeMerges(file.merges, vocab_);
  file.merges.release();

  for (size_t code = 0; code < kDirectCodes; ++code) {
    std::string text;
    append_utf8(text, char32_t(code));
    id_of_code_[code] = vocab_.find(text);
  }
  for (size_t byte = 0; byte < id_of_byte_.size(); ++byte) {
    id_of_byte_[byte] = byte_fallback_ ? vocab_.find(fmt::format("<0x{:02X}>", byte)) : kNone;
    if (merges_.uses(id_of_byte_[byte])) can_cut_ = false;
  }
  if (unk_token_) {
    unk_id_ = vocab_.find(*unk_token_);
    if (unk_id_ == kNone) {
      throw Error(ErrorKind::tokenizer, "tokenizer.json: model.unk_token: '{}' is not in the vocabulary", *unk_token_);
    }
    if (merges_.uses(unk_id_)) can_cut_ = false;
  }
}

void Bpe::read_options(const JsonNode& model) {
  if (const auto type = model.find("type"); type && type->text() != "BPE") {
    model.unsupported(fmt::format("model type '{}', other than BPE,", type->text()));
  }
  if (const auto dropout = model.find("dropout"); dropout && dropout->number() != 0) {
    dropout->unsupported("dropout");
  }
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (const auto member = model.find(affix); member && !member->text().empty()) member->unsupported("a word affix");
  }
  if (const auto unk_token = model.find("unk_token")) unk_token_ = std::string(unk_token->text());
  fuse_unk_ = model.flag_or("fuse_unk", false);
  byte_fallback_ = model.flag_or("byte_fallback", false);
  ignore_merges_ = model.flag_or("ignore_merges", false);
}

// Orders the tokens by id.
void Bpe::build_vocab(TokenizerJson& file) {
  n_tokens_ = file.ids.size();
  if (n_tokens_ == 0) throw Error(ErrorKind::tokenizer, "tokenizer.json: model.vocab is empty");
  const uint32_t max_id = *std::max_element(file.ids.begin(), file.ids.end());
  if (max_id > n_tokens_ * 16 + 65536) {
    throw Error(ErrorKind::tokenizer, "tokenizer.json: model.vocab: id {} is out of proportion to {} tokens", max_id,
                n_tokens_);
  }
  std::vector<uint32_t> position_of_id(size_t(max_id) + 1, kNone);
  size_t size_bytes = 0;
  for (size_t position = 0; position < n_tokens_; ++position) {
    uint32_t& entry = position_of_id[file.ids[position]];
    if (entry != kNone) {
      throw Error(ErrorKind::tokenizer, "tokenizer.json: model.vocab: tokens '{}' and '{}' have the same id {}",
                  file.tokens[entry], file.tokens[position], file.ids[position]);
    }
    entry = uint32_t(position);
    size_bytes += file.tokens[position].size();
  }
  StringPool by_id;
  by_id.reserve(position_of_id.size(), size_bytes);
  for (const uint32_t position : position_of_id) {
    by_id.append(position == kNone ? std::string_view() : file.tokens[position]);
  }
  vocab_ = StringTable(std::move(by_id));
  if (const uint32_t id = vocab_.first_duplicate(); id != StringTable::kNone) {
    throw Error(ErrorKind::tokenizer, "tokenizer.json: model.vocab: token '{}' is there twice", vocab_[id]);
  }
  file.tokens.release();
  file.ids = {};
}

uint32_t Bpe::id_of_char(char32_t code, std::string_view bytes) const {
  return code < kDirectCodes ? id_of_code_[code] : vocab_.find(bytes);
}

// The byte tokens of a character, when the vocabulary has all of them.
bool Bpe::byte_ids(std::string_view bytes, std::array<uint32_t, 4>& ids) const {
  for (size_t i = 0; i < bytes.size(); ++i) {
    ids[i] = id_of_byte_[uint8_t(bytes[i])];
    if (ids[i] == kNone) return false;
  }
  return true;
}

void Bpe::encode(std::string_view word, Workspace& workspace, std::vector<int32_t>& ids) const {
  if (word.size() > size_t(std::numeric_limits<int32_t>::max())) {
    throw Error(ErrorKind::request, "a text of {} bytes is too long to be encoded", word.size());
  }
  if (ignore_merges_) {
    if (const uint32_t id = vocab_.find(word); id != StringTable::kNone) {
      ids.push_back(int32_t(id));
      return;
    }
  }
  char32_t last = kNoChar;  // the character of the last symbol
  const auto add = [&](uint32_t id, char32_t code) {
    if (can_cut_ && (code == kNoChar || last == kNoChar || !merges_.may_join(last, code))) flush(workspace, ids);
    workspace.symbols.push_back({id, kNone, kNone, 0, 0});
    last = code;
  };
  // The unknown token waits for the next character that is known: then it is added, once when fused. Bytes pass it.
  bool unk_waits = false;
  for (size_t position = 0; position < word.size();) {
    const Utf8Char c = utf8_char(word, position);
    const std::string_view bytes = word.substr(position, c.length_bytes);
    position += c.length_bytes;
    if (const uint32_t id = id_of_char(c.code, bytes); id != kNone) {
      if (unk_waits) add(unk_id_, kNoChar);
      unk_waits = false;
      add(id, c.code);
      continue;
    }
    if (std::array<uint32_t, 4> fallback{}; byte_fallback_ && byte_ids(bytes, fallback)) {
      for (size_t i = 0; i < bytes.size(); ++i) add(fallback[i], kNoChar);
    } else if (unk_id_ != kNone) {
      if (unk_waits && !fuse_unk_) add(unk_id_, kNoChar);
      unk_waits = true;
    }
  }
  if (unk_waits) add(unk_id_, kNoChar);
  flush(workspace, ids);
}

// Merges the symbols gathered so far and appends their ids.
void Bpe::flush(Workspace& workspace, std::vector<int32_t>& ids) const {
  std::vector<Symbol>& symbols = workspace.symbols;
  if (symbols.empty()) return;
  if (symbols.size() > kShortWord) {
    merge_long(workspace);
  } else if (symbols.size() > 1) {
    merge_short(symbols);
  }
  for (const Symbol& symbol : symbols) ids.push_back(int32_t(symbol.id));
  symbols.clear();
}

void Bpe::merge_short(std::vector<Symbol>& symbols) const {
  const auto update = [&](size_t i) {
    const Merge merge = i + 1 < symbols.size() ? merges_.find(symbols[i].id, symbols[i + 1].id) : Merge{};
    symbols[i].rank = merge.rank;
    symbols[i].result = merge.result;
  };
  for (size_t i = 0; i < symbols.size(); ++i) update(i);
  for (;;) {
    const auto best = std::min_element(symbols.begin(), symbols.end(),
                                       [](const Symbol& a, const Symbol& b) { return a.rank < b.rank; });
    if (best->rank == Merge::kNone) return;
    best->id = best->result;
    const size_t i = size_t(best - symbols.begin());
    symbols.erase(best + 1);
    update(i);
    if (i > 0) update(i - 1);
  }
}

void Bpe::merge_long(Workspace& workspace) const {
  std::vector<Symbol>& symbols = workspace.symbols;
  std::vector<uint64_t>& queue = workspace.queue;
  queue.clear();
  const uint32_t n = uint32_t(symbols.size());
  const auto update = [&](uint32_t i) {
    Symbol& symbol = symbols[i];
    const Merge merge = symbol.next < n ? merges_.find(symbol.id, symbols[symbol.next].id) : Merge{};
    symbol.rank = merge.rank;
    symbol.result = merge.result;
    if (merge.rank != Merge::kNone) queue.push_back(uint64_t(merge.rank) << 32 | i);
    return merge.rank != Merge::kNone;
  };
  for (uint32_t i = 0; i < n; ++i) {
    symbols[i].previous = i == 0 ? kNone : i - 1;
    symbols[i].next = i + 1;
    update(i);
  }
  std::make_heap(queue.begin(), queue.end(), std::greater<>());
  const auto push = [&](uint32_t i) {
    if (update(i)) std::push_heap(queue.begin(), queue.end(), std::greater<>());
  };
  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), std::greater<>());
    const uint32_t i = uint32_t(queue.back());
    const uint32_t rank = uint32_t(queue.back() >> 32);
    queue.pop_back();
    // An entry is stale when its symbol has since been merged, as left or as right.
    if (symbols[i].id == kNone || symbols[i].rank != rank) continue;
    Symbol& left = symbols[i];
    Symbol& right = symbols[left.next];
    left.id = left.result;
    left.next = right.next;
    right.id = kNone;
    if (left.next < n) symbols[left.next].previous = i;
    push(i);
    if (left.previous != kNone) push(left.previous);
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.id == kNone; });
}

int64_t Bpe::memory_bytes() const { return int64_t(sizeof(Bpe)) + vocab_.memory_bytes() + merges_.memory_bytes(); }

}  // namespace paro::text
