// Routing and the experts of one layer. A packed expert is gate, up and down, one after the other.
#pragma once

#include <span>

#include "ops/backend.h"

namespace paro::reference {

int64_t packed_bytes(const ExpertSpec& spec);
void pack(const ExpertSpec& spec, ExpertPart part, const MatrixPiece& piece, std::byte* packed);

int64_t scratch_bytes(const RouteArgs& args);
void route(const RouteArgs& args, std::span<std::byte> scratch);

int64_t scratch_bytes(const MoeArgs& args);
void moe(const MoeArgs& args, std::span<std::byte> scratch);

}  // namespace paro::reference
