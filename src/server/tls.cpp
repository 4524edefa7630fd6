#include "server/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/buffer.hpp>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;

constexpr int64_t kMaxFileBytes = 1 << 20;

// "Jan 31 23:59:59 2026 GMT".
std::string to_text(const ASN1_TIME* time) {
  BIO* memory = BIO_new(BIO_s_mem());
  std::string text;
  if (memory != nullptr && ASN1_TIME_print(memory, time) == 1) {
    char* begin = nullptr;
    const long n_bytes = BIO_get_mem_data(memory, &begin);
    text.assign(begin, static_cast<size_t>(n_bytes));
  }
  BIO_free(memory);
  return text;
}

void check_times(const X509& certificate, const std::string& file) {
  const ASN1_TIME* begin = X509_get0_notBefore(&certificate);
  const ASN1_TIME* end = X509_get0_notAfter(&certificate);
  if (X509_cmp_current_time(end) < 0) {
    throw Error(ErrorKind::usage, "--tls-cert '{}': the certificate has expired on {}; renew it", file, to_text(end));
  }
  if (X509_cmp_current_time(begin) > 0) log::warn("'{}': the certificate is not valid before {}", file, to_text(begin));
}

}  // namespace

ssl::context load_certificate(const std::filesystem::path& certificate, const std::filesystem::path& key) {
  const std::string chain = read_text_file(certificate, kMaxFileBytes);
  const std::string secret = read_text_file(key, kMaxFileBytes);
  ssl::context context(ssl::context::tls_server);
  SSL_CTX* native = context.native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);          // an idle connection holds none
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);  // clients keep their sessions, in tickets

  boost::system::error_code failure;
  context.use_certificate_chain(asio::buffer(chain), failure);
  if (failure) {
    throw Error(ErrorKind::usage,
                "--tls-cert '{}' holds no certificate in PEM format ({}); give the chain, the server's own first",
                certificate.string(), failure.message());
  }
  // Else a key with a password would ask for it at the terminal.
  context.set_password_callback([](size_t, ssl::context::password_purpose) { return std::string(); });
  ERR_clear_error();
  context.use_private_key(asio::buffer(secret), ssl::context::pem, failure);
  if (failure && failure.category() == asio::error::get_ssl_category() &&
      ERR_GET_REASON(static_cast<unsigned long>(failure.value())) == X509_R_KEY_VALUES_MISMATCH) {
    throw Error(ErrorKind::usage, "--tls-key '{}' is not the key of the certificate in '{}'", key.string(),
                certificate.string());
  }
  if (failure) {
    throw Error(ErrorKind::usage, "--tls-key '{}' holds no private key in PEM format without a password ({})",
                key.string(), failure.message());
  }
  if (SSL_CTX_check_private_key(native) != 1) {
    throw Error(ErrorKind::usage, "--tls-key '{}' is not the key of the certificate in '{}'", key.string(),
                certificate.string());
  }
  check_times(*SSL_CTX_get0_certificate(native), certificate.string());
  return context;
}

}  // namespace paro::server
