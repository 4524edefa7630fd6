#include "text/tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "text/bpe.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer_added.h"
#include "text/tokenizer_decoder.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_template.h"
#include "text/utf8.h"

namespace paro::text {

struct Tokenizer::Impl {
  explicit Impl(TokenizerJson& file);

  enum Flag : uint8_t {
    kKnown = 1,
    kByte = 2,  // one byte of a run, see Decoder::form_of
    kSpecial = 4,
  };

  bool knows(int32_t id) const { return id >= 0 && size_t(id) < flags.size() && (flags[size_t(id)] & kKnown); }
  std::string_view token(int32_t id) const;
  void add_form(int32_t id);
  void encode_part(std::string_view text, bool at_start, Bpe::Workspace& workspace, std::vector<int32_t>& ids) const;

  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  Bpe bpe;
  AddedTokens added;
  std::vector<std::pair<int32_t, uint32_t>> added_by_id;  // id, index in `added`
  TokenTemplate token_template;
  Decoder decoder;
  StringPool forms;            // what tokens are in the middle of a text, by id
  std::vector<uint8_t> flags;  // by id
};

namespace {

void check_version(const JsonNode& root) {
  if (const auto version = root.find("version"); version && version->text() != "1.0") {
    version->unsupported("a version other than '1.0'");
  }
}

// Part of the file built from its member, or as it is without.
template <typename T>
T part_of(const JsonNode& root, std::string_view member) {
  const auto node = root.find(member);
  return node ? T(*node) : T();
}

AddedTokens read_added(const JsonNode& root, const Bpe& bpe, const Normalizer& normalizer) {
  const auto tokens = root.find("added_tokens");
  return tokens ? AddedTokens(*tokens, bpe.vocab(), bpe.n_tokens(), normalizer) : AddedTokens();
}

}  // namespace

Tokenizer::Impl::Impl(TokenizerJson& file) : bpe(file) {
  const JsonNode root(file.root, "tokenizer");
  check_version(root);
  normalizer = part_of<Normalizer>(root, "normalizer");
  pre_tokenizer = part_of<PreTokenizer>(root, "pre_tokenizer");
  token_template = part_of<TokenTemplate>(root, "post_processor");
  decoder = part_of<Decoder>(root, "decoder");
  added = read_added(root, bpe, normalizer);

  size_t n_ids = bpe.vocab().size();
  for (size_t i = 0; i < added.size(); ++i) {
    added_by_id.emplace_back(added[i].id, uint32_t(i));
    n_ids = std::max(n_ids, size_t(added[i].id) + 1);
  }
  std::sort(added_by_id.begin(), added_by_id.end());
  flags.resize(n_ids);
  forms.reserve(n_ids, 0);
  for (size_t id = 0; id < n_ids; ++id) add_form(int32_t(id));
  forms.shrink();
}

void Tokenizer::Impl::add_form(int32_t id) {
  const std::string_view text = token(id);
  Decoder::Form form;
  if (!text.empty()) {
    form = decoder.form_of(text);
    flags[size_t(id)] = uint8_t(kKnown | (form.is_byte ? kByte : 0) | (added.is_special_text(text) ? kSpecial : 0));
  }
  forms.append(form.bytes);
}

std::string_view Tokenizer::Impl::token(int32_t id) const {
  const auto entry = std::lower_bound(added_by_id.begin(), added_by_id.end(), std::pair(id, uint32_t(0)));
  if (entry != added_by_id.end() && entry->first == id) return added.shown(entry->second);
  return size_t(id) < bpe.vocab().size() ? bpe.vocab()[size_t(id)] : std::string_view();
}

// Text without the added tokens that stand in raw text.
void Tokenizer::Impl::encode_part(std::string_view text, bool at_start, Bpe::Workspace& workspace,
                                  std::vector<int32_t>& ids) const {
  std::string normalized(text);
  if (!normalizer.is_identity()) normalized = normalizer.apply(std::move(normalized));
  const auto encode_words = [&](std::string part, bool part_at_start) {
    const Words words = pre_tokenizer.apply(std::move(part), part_at_start);
    for (size_t i = 0; i < words.ranges.size(); ++i) bpe.encode(words[i], workspace, ids);
  };
  if (!added.has_normalized()) return encode_words(std::move(normalized), at_start);
  for (const AddedTokens::Part& part : added.split_normalized(normalized)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
    } else {
      encode_words(normalized.substr(part.begin, part.end - part.begin), at_start && part.begin == 0);
    }
  }
}

Tokenizer Tokenizer::from_json(std::string_view json) {
  TokenizerJson file = read_tokenizer_json(json);
  return Tokenizer(std::make_unique<Impl>(file));
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  std::string repaired;
  if (!is_valid_utf8(text)) {
    repaired = replace_invalid_utf8(text);
    text = repaired;
  }
  std::vector<int32_t> ids;
  Bpe::Workspace workspace;
  if (!impl_->added.has_raw()) {
    impl_->encode_part(text, true, workspace, ids);
  } else {
    for (const AddedTokens::Part& part : impl_->added.split_raw(text)) {
      if (part.id >= 0) {
        ids.push_back(part.id);
      } else {
        impl_->encode_part(text.substr(part.begin, part.end - part.begin), part.begin == 0, workspace, ids);
      }
    }
  }
  return add_special_tokens ? impl_->token_template.apply(std::move(ids)) : ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  std::string out;
  DecoderState state = impl_->decoder.start();
  for (const int32_t id : ids) decode_token(state, id, skip_special_tokens, out);
  impl_->decoder.finish(state, out);
  return out;
}

void Tokenizer::decode_token(DecoderState& state, int32_t id, bool skip_special_tokens, std::string& out) const {
  if (!impl_->knows(id)) return;
  const uint8_t flags = impl_->flags[size_t(id)];
  if (skip_special_tokens && (flags & Impl::kSpecial)) return;
  impl_->decoder.push(state, impl_->token(id), impl_->forms[size_t(id)], flags & Impl::kByte, out);
}

const Decoder& Tokenizer::decoder() const { return impl_->decoder; }

std::string_view Tokenizer::token_bytes(int32_t id) const {
  return impl_->knows(id) ? impl_->forms[size_t(id)] : std::string_view();
}

std::optional<int32_t> Tokenizer::token_id(std::string_view token) const {
  if (const auto id = impl_->added.id_of(token)) return id;
  const uint32_t id = impl_->bpe.vocab().find(token);
  return id == StringTable::kNone ? std::nullopt : std::optional(int32_t(id));
}

bool Tokenizer::is_special(int32_t id) const {
  return impl_->knows(id) && (impl_->flags[size_t(id)] & Impl::kSpecial) != 0;
}

int32_t Tokenizer::vocab_size() const { return int32_t(impl_->flags.size()); }

int64_t Tokenizer::memory_bytes() const {
  return int64_t(sizeof(Impl) + impl_->flags.capacity() +
                 impl_->added_by_id.capacity() * sizeof(std::pair<int32_t, uint32_t>)) +
         impl_->normalizer.memory_bytes() + impl_->pre_tokenizer.memory_bytes() + impl_->bpe.memory_bytes() +
         impl_->added.memory_bytes() + impl_->decoder.memory_bytes() + impl_->forms.memory_bytes();
}

}  // namespace paro::text
