// What holds a request's answers: from its fields to a constraint for each sequence.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "engine/token_constraint.h"
#include "server/chat_request.h"
#include "server/content_rule.h"
#include "server/service.h"

namespace paro::server {

// Called once for each sequence. Empty: nothing holds them.
using MakeConstraint = std::function<std::shared_ptr<TokenConstraint>()>;

// Calls, content and thoughts of an answer to `prompt`. Where calls are left to the model and its tools make no
// grammar, calls are free. Throws ApiError 400 about what cannot be followed, 503 when other grammars take all places.
MakeConstraint chat_constraint(const ChatRequest& request, std::span<const int32_t> prompt, const Service& service);

MakeConstraint text_constraint(const std::optional<ContentRule>& rule, const Service& service);

}  // namespace paro::server
