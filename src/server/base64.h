// Bytes as text of RFC 4648's alphabet, with padding.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace paro::server {

std::string base64(std::span<const std::byte> bytes);

}  // namespace paro::server
