// Names that the server gives: of answers, calls and itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace paro::server {

inline constexpr std::string_view kSystemFingerprint = "paro-" PARO_VERSION;

std::string random_id(std::string_view prefix);  // 24 letters and digits after it

int64_t seconds_since_1970();

}  // namespace paro::server
