// Turns a stream of token ids into text piece by piece: what push() returns, joined, is what Tokenizer::decode gives
// for all ids, and no piece ends inside a UTF-8 sequence.
#pragma once

#include <cstdint>
#include <string>

#include "text/tokenizer.h"

namespace paro::text {

class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens);

  // Text that became certain with this token; may be empty.
  std::string push(int32_t id);

  // The rest: an incomplete sequence comes out as U+FFFD.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  bool skip_special_tokens_;
  bool at_start_ = true;
  std::string pending_;
};

}  // namespace paro::text
