// How many files the process may have open: every client is one.
#pragma once

namespace paro::cli {

// Raises the limit as far as it may be. Throws Error{usage} when `n_connections` and what the program itself opens are
// more.
void allow_connections(int n_connections);

}  // namespace paro::cli
