// What is wrong with a request must be a 400 that can be written down.
#pragma once

#include "require.h"
#include "server/api_error.h"
#include "server/json_text.h"

namespace paro::server {

template <typename Read>
void expect_400(Read&& read) {
  try {
    read();
  } catch (const ApiError& error) {
    require(error.status == 400);
    require(!json_text(error.body()).empty());
  }
}

}  // namespace paro::server
