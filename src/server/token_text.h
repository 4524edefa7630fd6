// A token as logprobs show it: its bytes, and as text, where bytes that are no UTF-8 by themselves become U+FFFD.
#pragma once

#include <boost/json/array.hpp>
#include <string>

#include "text/tokenizer.h"

namespace paro::server {

std::string token_text(const text::Tokenizer& tokenizer, int32_t id);
boost::json::array token_bytes(const text::Tokenizer& tokenizer, int32_t id);
double finite_logprob(float logprob);  // minus infinity has no JSON

}  // namespace paro::server
