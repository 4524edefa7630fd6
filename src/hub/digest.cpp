#include "hub/digest.h"

#include <openssl/evp.h>

#include "base/check.h"
#include "base/error.h"

namespace paro::hub {

void Digest::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Digest::Digest(const RepositoryFile& file) : expected_(file.sha256.empty() ? file.git_sha1 : file.sha256) {
  if (expected_.empty()) return;
  context_.reset(EVP_MD_CTX_new());
  const bool begun = EVP_DigestInit_ex(context_.get(), file.sha256.empty() ? EVP_sha1() : EVP_sha256(), nullptr) == 1;
  PARO_CHECK(begun, "{}", expected_);
  if (!file.sha256.empty()) return;
  const std::string header = fmt::format("blob {}", file.size_bytes);
  add({header.c_str(), header.size() + 1});
}

Digest::~Digest() = default;

void Digest::add(std::span<const char> bytes) {
  if (context_) EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

void Digest::check(std::string_view where) {
  if (!context_) return;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned n_bytes = 0;
  EVP_DigestFinal_ex(context_.get(), digest, &n_bytes);
  std::string found;
  for (unsigned i = 0; i < n_bytes; ++i) found += fmt::format("{:02x}", digest[i]);
  if (found != expected_) {
    throw Error(ErrorKind::io, "{}: is damaged: its digest is {}, expected {}; it was removed, pull again", where,
                found, expected_);
  }
}

}  // namespace paro::hub
