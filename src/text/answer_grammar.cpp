#include "text/answer_grammar.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace paro::text {
namespace {

using Expression = GrammarBuilder::Expression;

class AnswerGrammar {
 public:
  AnswerGrammar(const ChatFormat& format, const Tokenizer& tokenizer, ThoughtState thought, const AnswerRules& rules)
      : format_(format), tokenizer_(tokenizer), thought_(thought), rules_(rules) {
    if (!format.thought.open.empty()) {
      open_ = tokenizer.token_id(format.thought.open);
      close_ = tokenizer.token_id(format.thought.close);
    }
  }

  Grammar build() {
    if (rules_.calls != CallChoice::none && format_.call_grammar == nullptr)
      throw Error(ErrorKind::request, "the model's answers have no notation for calls");
    return builder_.build(builder_.sequence({first_thought(), rest()}));
  }

 private:
  bool thinks() const { return open_ && close_; }

  Expression thought() { return builder_.sequence({builder_.token(*open_), builder_.text(), builder_.token(*close_)}); }

  Expression first_thought() {
    if (!thinks() || thought_ == ThoughtState::closed) return builder_.empty();
    const Expression newlines = builder_.repeat(builder_.literal("\n"), 0, 2);
    if (thought_ == ThoughtState::open) return builder_.sequence({builder_.text(), builder_.token(*close_), newlines});
    return builder_.optional(builder_.sequence({thought(), newlines}));
  }

  Expression rest() {
    if (rules_.calls == CallChoice::required) return calls();
    if (rules_.content) {
      const Expression content = builder_.embed(*rules_.content);
      return rules_.calls == CallChoice::none ? content : builder_.alternatives({content, calls()});
    }
    if (rules_.calls == CallChoice::none) return free_text();
    if (!rules_.has_parallel_calls || !format_.has_parallel_calls)
      return builder_.sequence({free_text(), builder_.optional(builder_.sequence({marked_call(), free_text()}))});
    return builder_.sequence({free_text(), builder_.repeat(builder_.sequence({marked_call(), free_text()}), 0)});
  }

  Expression calls() {
    const bool is_one = !rules_.has_parallel_calls || !format_.has_parallel_calls;
    const Expression between = builder_.literal(format_.between_calls);
    const Expression others = is_one ? builder_.empty() : builder_.repeat(builder_.sequence({between, call()}), 0);
    return builder_.sequence({call(), others});
  }

  Expression call() {
    if (!call_) {
      call_ = builder_.declare_rule("call");
      std::vector<Expression> functions;
      for (const CallableFunction& function : rules_.functions)
        functions.push_back(format_.call_grammar(builder_, tokenizer_, function));
      builder_.define(*call_, builder_.alternatives(functions));
    }
    return builder_.use(*call_);
  }

  // As it stands within text: a token tells that it begins.
  Expression marked_call() {
    if (format_.call_prefix.empty()) return call();
    return builder_.sequence({builder_.token(tokenizer_.token_id(format_.call_prefix).value_or(-1)), call()});
  }

  Expression free_text() {
    if (!thinks()) return builder_.text();
    return builder_.sequence({builder_.text(), builder_.repeat(builder_.sequence({thought(), builder_.text()}), 0)});
  }

  const ChatFormat& format_;
  const Tokenizer& tokenizer_;
  const ThoughtState thought_;
  const AnswerRules& rules_;
  std::optional<int32_t> open_, close_;
  GrammarBuilder builder_;
  std::optional<GrammarBuilder::Rule> call_;
};

}  // namespace

std::shared_ptr<const GrammarVocabulary> answer_vocabulary(const Tokenizer& tokenizer, const ChatFormat& format,
                                                           std::span<const int32_t> stop_ids, int vocab_size) {
  std::vector<GrammarVocabulary::Token> tokens(static_cast<size_t>(vocab_size));
  const int n_known = std::min(vocab_size, tokenizer.vocab_size());
  for (int32_t id = 0; id < n_known; ++id)
    tokens[static_cast<size_t>(id)] = {tokenizer.token_bytes(id), tokenizer.is_special(id)};
  const auto set_apart = [&](std::optional<int32_t> id) {
    if (id && *id < n_known) tokens[static_cast<size_t>(*id)].is_special = true;
  };
  for (const auto& markers : {format.markers, format.other_markers})
    for (const std::string_view marker : markers) set_apart(tokenizer.token_id(marker));
  for (const int32_t id : stop_ids) set_apart(id);
  return std::make_shared<const GrammarVocabulary>(tokens, stop_ids);
}

Grammar answer_grammar(const ChatFormat& format, const Tokenizer& tokenizer, ThoughtState thought,
                       const AnswerRules& rules) {
  return AnswerGrammar(format, tokenizer, thought, rules).build();
}

}  // namespace paro::text
