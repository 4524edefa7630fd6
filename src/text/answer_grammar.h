// What an answer to a request is held to, as a grammar: thoughts where the model has them, then calls or content.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "text/call_grammar.h"
#include "text/chat_format.h"
#include "text/grammar/grammar.h"
#include "text/grammar/grammar_vocabulary.h"

namespace paro::text {

// The vocabulary that these grammars run over: the format's markers and the tokens that end an answer are special ones,
// so that no text holds them.
std::shared_ptr<const GrammarVocabulary> answer_vocabulary(const Tokenizer& tokenizer, const ChatFormat& format,
                                                           std::span<const int32_t> stop_ids, int vocab_size);

enum class CallChoice {
  none,
  automatic,  // free text may hold calls, each of which is one of the functions once its marker stands
  required,
};

struct AnswerRules {
  CallChoice calls = CallChoice::none;
  std::vector<CallableFunction> functions;
  bool has_parallel_calls = true;    // else at most one
  const Grammar* content = nullptr;  // none: free text
};

// `thought`: where the prompt ends. Throws Error{request} about schemas, and where calls are required of a format that
// has none.
Grammar answer_grammar(const ChatFormat& format, const Tokenizer& tokenizer, ThoughtState thought,
                       const AnswerRules& rules);

}  // namespace paro::text
