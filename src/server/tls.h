// Certificates: what a server shows to its clients, read from PEM files. TLS 1.2 and later.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <filesystem>

namespace paro::server {

// Throws Error{io} when a file cannot be read, Error{usage} when it holds no certificate or key, when the two do not
// belong together, or when the certificate has expired.
boost::asio::ssl::context load_certificate(const std::filesystem::path& certificate, const std::filesystem::path& key);

}  // namespace paro::server
