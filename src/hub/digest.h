// The digest of a file's bytes, by which a download is known to be whole.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "hub/repository.h"

struct evp_md_ctx_st;

namespace paro::hub {

class Digest {
 public:
  explicit Digest(const RepositoryFile& file);  // of which kind it is, as the hub tells it; none where it tells none
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void add(std::span<const char> bytes);

  // Ends it. Throws Error{io}, which begins with `where`, unless the digest is what the hub tells.
  void check(std::string_view where);

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
  std::string expected_;
};

}  // namespace paro::hub
