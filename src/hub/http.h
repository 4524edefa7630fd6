// Requests to a hub, over libcurl. A connection is kept from one request to the next.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace paro::hub {

struct HttpAnswer {
  int status = 0;
  std::string etag;
  int64_t first_byte = 0;  // of a 206: where its range begins
  int retry_after_s = -1;  // -1: not told
  std::string error;       // what the hub says of a status from 400 on, cut
  bool is_complete() const { return status == 200 || status == 206; }
};

// What is received with a status of 200 or 206; `answer` has all but `error`. False ends the request.
using Receive = std::function<bool(const HttpAnswer& answer, std::span<const char> bytes)>;

// A request that failed below HTTP: nothing is known but that it may be tried again.
struct ConnectionFailure {
  std::string message;
  bool unreachable = false;  // no connection was made
};

class Http {
 public:
  explicit Http(std::string token);  // empty: none. Sent to the host that is asked, not to one that it redirects to
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  // Throws ConnectionFailure. A server that sends less than 1 byte a second for a minute fails.
  HttpAnswer get(const std::string& url, const std::vector<std::string>& headers, const Receive& receive);

 private:
  std::unique_ptr<void, void (*)(void*)> handle_;
  std::string token_;
};

// As a URL carries it in its path: with slashes that part names, or as one part.
std::string url_encoded_path(std::string_view path);
std::string url_encoded_part(std::string_view part);

}  // namespace paro::hub
