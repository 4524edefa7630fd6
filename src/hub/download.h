// One file from a hub to the disk: resumed where it was interrupted, checked, and only then given its name.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "hub/http.h"
#include "hub/repository.h"

namespace paro::hub {

// Where requests go and how failures are told.
struct Hub {
  std::string endpoint;    // without a slash at its end
  std::string repository;  // ORG/NAME
  std::string revision;    // a branch, tag or commit
  bool has_token = false;

  std::string revision_url() const;  // what the hub tells of the revision
  std::string file_url(const std::string& commit, const std::string& name) const;
  [[noreturn]] void fail(const HttpAnswer& answer, const std::string& what) const;          // Error, with what to do
  [[noreturn]] void fail(const ConnectionFailure& failure, const std::string& what) const;  // the same
};

// Bytes that came, or that are not needed again; negative when a file begins anew. True: stop.
using Advance = std::function<bool(int64_t n_bytes)>;

// The whole of an answer of at most `limit_bytes`, tried again where that may help. Throws Error.
std::string get_text(Http& http, const Hub& hub, const std::string& url, int64_t limit_bytes, const std::string& what);

// Writes `file` as `target`; what came before an interruption lies beside it as .part, to be gone on with. Throws
// Error. Returns false when `advance` stopped it.
bool download(Http& http, const Hub& hub, const std::string& commit, const RepositoryFile& file,
              const std::filesystem::path& target, const Advance& advance);

}  // namespace paro::hub
