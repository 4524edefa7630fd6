#include "hub/http.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <exception>
#include <string_view>

#include "base/check.h"
#include "hub/curl.h"

namespace paro::hub {
namespace {

constexpr long kConnectTimeoutS = 30, kStallTimeoutS = 60, kMaxRedirects = 8;
constexpr size_t kMaxErrorBytes = 300;

struct Transfer {
  HttpAnswer answer;
  const Receive& receive;
  bool ended = false;                   // by the receiver
  std::exception_ptr thrown = nullptr;  // by the receiver: no exception may pass through libcurl
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

template <typename T>
bool read_number(std::string_view text, T& number) {
  return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc();
}

// Called for each line of each header, those of redirects too.
size_t take_header(char* bytes, size_t /*one*/, size_t n_bytes, void* user) {
  HttpAnswer& answer = static_cast<Transfer*>(user)->answer;
  const std::string_view line = trimmed({bytes, n_bytes});
  if (line.starts_with("HTTP/")) {
    answer = {};
    read_number(trimmed(line.substr(std::min(line.find(' '), line.size()))), answer.status);
    return n_bytes;
  }
  const size_t colon = line.find(':');
  if (colon == line.npos) return n_bytes;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (name == "etag") answer.etag = value;
  if (name == "retry-after") read_number(value, answer.retry_after_s);
  if (name == "content-range" && value.starts_with("bytes ")) read_number(value.substr(6), answer.first_byte);
  return n_bytes;
}

size_t take_body(char* bytes, size_t /*one*/, size_t n_bytes, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.answer.is_complete()) {
    try {
      transfer.ended = !transfer.receive(transfer.answer, {bytes, n_bytes});
    } catch (...) {
      transfer.ended = true;
      transfer.thrown = std::current_exception();
    }
    return transfer.ended ? 0 : n_bytes;
  }
  std::string& error = transfer.answer.error;
  error.append(bytes, std::min(n_bytes, kMaxErrorBytes - error.size()));
  return n_bytes;
}

std::string url_encoded(std::string_view text, std::string_view kept) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const unsigned char c : text) {
    if (std::isalnum(c) || kept.find(char(c)) != kept.npos) {
      encoded += char(c);
    } else {
      encoded += {'%', kDigits[c >> 4], kDigits[c & 15]};
    }
  }
  return encoded;
}

void check(CURLcode code) { PARO_CHECK(code == CURLE_OK, "{}", curl().easy_strerror(code)); }

template <typename T>
void set(void* handle, CURLoption option, T value) {
  check(curl().easy_setopt(handle, option, value));
}

void* make_handle() {
  void* handle = curl().easy_init();
  PARO_CHECK(handle != nullptr, "libcurl");
  return handle;
}

}  // namespace

Http::Http(std::string token) : handle_(make_handle(), curl().easy_cleanup), token_(std::move(token)) {}

Http::~Http() = default;

HttpAnswer Http::get(const std::string& url, const std::vector<std::string>& headers, const Receive& receive) {
  void* const handle = handle_.get();
  curl().easy_reset(handle);
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> lines(nullptr, curl().slist_free_all);
  const auto add = [&](const std::string& line) { lines.reset(curl().slist_append(lines.release(), line.c_str())); };
  for (const std::string& header : headers) add(header);
  if (!token_.empty()) add("Authorization: Bearer " + token_);
  Transfer transfer{.answer = {}, .receive = receive};
  set(handle, CURLOPT_URL, url.c_str());
  set(handle, CURLOPT_HTTPHEADER, lines.get());
  set(handle, CURLOPT_USERAGENT, "paro");
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_FOLLOWLOCATION, 1L);
  set(handle, CURLOPT_MAXREDIRS, kMaxRedirects);
  set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  // What was asked for in secret is not sent in the open.
  set(handle, CURLOPT_REDIR_PROTOCOLS_STR, url.starts_with("https:") ? "https" : "http,https");
  set(handle, CURLOPT_CONNECTTIMEOUT, kConnectTimeoutS);
  set(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(handle, CURLOPT_LOW_SPEED_TIME, kStallTimeoutS);
  set(handle, CURLOPT_HEADERFUNCTION, take_header);
  set(handle, CURLOPT_HEADERDATA, &transfer);
  set(handle, CURLOPT_WRITEFUNCTION, take_body);
  set(handle, CURLOPT_WRITEDATA, &transfer);
  const CURLcode result = curl().easy_perform(handle);
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  if (result != CURLE_OK && !transfer.ended) {
    throw ConnectionFailure{curl().easy_strerror(result), result == CURLE_COULDNT_RESOLVE_HOST ||
                                                              result == CURLE_COULDNT_RESOLVE_PROXY ||
                                                              result == CURLE_COULDNT_CONNECT};
  }
  return transfer.answer;
}

std::string url_encoded_path(std::string_view path) { return url_encoded(path, "-_.~/"); }

std::string url_encoded_part(std::string_view part) { return url_encoded(part, "-_.~"); }

}  // namespace paro::hub
