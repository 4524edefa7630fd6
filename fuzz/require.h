// What targets hold their parsers to: libFuzzer tells of a run that ends.
#pragma once

#include <cstdlib>

#include "base/error.h"

namespace paro {

inline void require(bool condition) {
  if (!condition) std::abort();
}

// Of what `read` may throw: an Error of this kind, and nothing else.
template <typename Read>
void allow(ErrorKind kind, Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    require(error.kind() == kind);
  }
}

}  // namespace paro
