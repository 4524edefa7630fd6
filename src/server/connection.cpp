#include "server/connection.h"

#include <algorithm>
#include <array>
#include <bit>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/json/error.hpp>
#include <exception>
#include <utility>

#include "base/log.h"
#include "server/cors.h"
#include "server/identifiers.h"
#include "server/json_fields.h"
#include "server/json_text.h"
#include "server/metrics.h"
#include "server/routes.h"
#include "server/server_state.h"
#include "server/stream.h"
#include "text/utf8.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace json = boost::json;

constexpr size_t kReadAheadBytes = 64 << 10;  // of a client's next requests while one is answered
constexpr uint64_t kReadBytes = 64 << 10;     // of a body at one time
constexpr std::chrono::seconds kLingerTime(2);

bool is_json_failure(const boost::system::system_error& error) {
  return error.code().category() == make_error_code(json::error::syntax).category();
}

std::string_view methods_at(const HttpRequest& request) {
  const Route* route = route_at(route_path(std::string_view(request.target())));
  return route != nullptr ? allowed_methods(*route) : "GET, HEAD, POST, OPTIONS";
}

}  // namespace

Connection::Connection(std::unique_ptr<Stream> stream, Strand strand, ServerState& server)
    : server_(server),
      strand_(std::move(strand)),
      stream_(std::move(stream)),
      wakeup_(std::make_shared<Wakeup>(strand_)),
      memory_(server.pool) {}

Connection::~Connection() = default;

asio::awaitable<void> Connection::run() {
  try {
    {
      const Stream::Deadline deadline(*stream_, server_.options.read_timeout);
      co_await stream_->handshake();
    }
    co_await serve_requests();
  } catch (const std::exception& error) {  // the socket failed: nobody is left to tell
    log::debug("connection: {}", error.what());
  }
  stream_->close();
}

asio::awaitable<void> Connection::refuse() {
  try {
    name_request();
    const ApiError error(Error(ErrorKind::unavailable, "server: all {} connections are taken; try again",
                               server_.options.max_connections));
    co_await report(error);
    co_await hang_up();
  } catch (const std::exception& failure) {
    log::debug("connection: {}", failure.what());
  }
}

asio::awaitable<void> Connection::serve_requests() {
  using namespace asio::experimental::awaitable_operators;
  Reading reading;
  do {
    request_ = {};
    json_.reset();
    answered_ = streaming_ = false;
    release_body();
    hold_answer(0);
    reading = co_await read_request();
    if (reading == Reading::complete) {
      const auto ended = co_await (handle() || watch());
      if (ended.index() == 1) co_return;  // the client left
    }
  } while (reading != Reading::ended && keeps_alive_ && !draining_);
  if (reading != Reading::ended) co_await hang_up();
}

asio::awaitable<Connection::Reading> Connection::read_request() {
  const ServerOptions& options = server_.options;
  boost::system::error_code failure;
  const auto or_failure = [&failure] { return asio::redirect_error(asio::use_awaitable, failure); };

  if (buffer_.size() == 0) {  // waits for the first byte, so that an idle connection can be told from a slow one
    if (draining_) co_return Reading::ended;
    idle_ = true;
    const Stream::Deadline deadline(*stream_, options.idle_timeout);
    const size_t n_read = co_await stream_->async_read_some(buffer_.prepare(4096), or_failure());
    idle_ = false;
    if (failure) co_return Reading::ended;
    buffer_.commit(n_read);
  }

  HttpParser parser;
  set_limits(parser, options.max_header_bytes, options.max_body_bytes);
  std::optional<Stream::Deadline> deadline(std::in_place, *stream_, options.read_timeout);
  co_await http::async_read_header(*stream_, buffer_, parser, or_failure());
  std::optional<ApiError> refusal = failure ? api_error_of(failure, options.max_body_bytes) : std::nullopt;
  if (failure && !refusal) co_return Reading::ended;

  if (!refusal) {
    keeps_alive_ = parser.keep_alive();
    try {
      check_header(parser.get());
    } catch (const ApiError& error) {
      refusal = error;
    }
  }
  if (!refusal && !parser.is_done()) {
    try {
      co_await read_body(parser, failure);
    } catch (const ApiError& error) {
      refusal = error;
    }
    if (failure) refusal = api_error_of(failure, options.max_body_bytes);
    if (failure && !refusal) co_return Reading::ended;
  }
  deadline.reset();
  if (!refusal) {
    request_ = parser.release();
    name_request();
    co_return Reading::complete;
  }

  request_.base() = parser.get().base();  // as far as it was read
  name_request();
  if (!parser.is_done()) keeps_alive_ = false;  // a body that was not read stands in the way of the next request
  co_await report(*refusal);
  co_return Reading::refused;
}

// Its memory is charged before it comes: at once where its length is told, else as it grows.
asio::awaitable<void> Connection::read_body(HttpParser& parser, boost::system::error_code& failure) {
  const auto length = parser.content_length();
  memory_.set_body_bytes(length.value_or(0));
  if (expects_continue(parser.get())) co_await write(kContinue);
  parser.eager(true);
  while (!parser.is_done() && !failure) {
    const uint64_t n_read = parser.get().body().size();
    if (!length) memory_.set_body_bytes(std::min(std::bit_ceil(n_read + kReadBytes), server_.options.max_body_bytes));
    co_await http::async_read_some(*stream_, buffer_, parser, asio::redirect_error(asio::use_awaitable, failure));
  }
}

// What can be refused before the body is read.
void Connection::check_header(const HttpHeader& header) const {
  if (header.method() == http::verb::options) return;
  check_origin(header, server_.options.cors_origins);
  const std::string path = route_path(std::string_view(header.target().data(), header.target().size()));
  const std::vector<std::string>& keys = server_.options.api_keys;
  const Route* found = route_at(path);
  const bool needs_key = found == nullptr || found->needs_key;
  if (needs_key && !keys.empty() && !has_key(header, keys)) {
    throw ApiError(401, "authentication_error", "invalid_api_key",
                   "request: the API key is missing or wrong; send it as Authorization: Bearer KEY");
  }
  const Route& route = find_route(header.method(), path);
  if (route.method == http::verb::post) check_content_type(header);
}

asio::awaitable<void> Connection::handle() {
  std::exception_ptr failure;
  try {
    co_await dispatch();
  } catch (const boost::system::system_error& error) {
    if (!is_json_failure(error)) {  // the socket failed, or the client left
      keeps_alive_ = false;
      co_return;
    }
    failure = std::current_exception();
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  try {
    const ApiError error = server::api_error_of(failure);
    log_failure(error);
    co_await report(error);
  } catch (const boost::system::system_error&) {
    keeps_alive_ = false;
  }
}

asio::awaitable<void> Connection::dispatch() {
  if (request_.method() == http::verb::options) {
    co_await respond_empty(204);
    co_return;
  }
  const Route& route = find_route(request_.method(), route_path(std::string_view(request_.target())));
  if (const Handler* handler = std::get_if<Handler>(&route.handler)) {
    co_await (*handler)(*this);
    co_return;
  }
  const ModelLibrary::Lease lease = server_.library.lease(named_model(), wakeup_);
  while (lease.is_waiting()) co_await wait(server_.options.ping_interval);
  co_await std::get<ModelHandler>(route.handler)(*this, lease.service());
}

// Empty: the request names none.
std::string Connection::named_model() {
  if (request_.method() != http::verb::post)
    return text::replace_invalid_utf8(percent_decoded(query_value(std::string_view(request_.target()), "model")));
  json_ = parse_body(request_.body(), &memory_);
  release_body();
  return JsonFields(*json_).string("model").value_or("");
}

asio::awaitable<void> Connection::report(const ApiError& error) {
  if (answered_) {  // a half-sent answer cannot be mended
    keeps_alive_ = false;
  } else {
    ErrorAnswer answer = error_answer(error, dialect(), request_id_);
    co_await respond(answer.status, std::move(answer.body));
  }
}

Dialect Connection::dialect() const {
  if (names_anthropic_version(request_)) return Dialect::anthropic;
  const Route* route = route_at(route_path(std::string_view(request_.target())));
  return route ? route->dialect : Dialect::openai;
}

void Connection::name_request() {
  request_id_ = client_request_id(request_);
  if (request_id_.empty()) request_id_ = random_id("req_");
}

HttpResponse Connection::make_response(unsigned status) const {
  return {static_cast<http::status>(status), request_.version()};
}

void Connection::set_common_fields(HttpResponse& response) const {
  response.set(http::field::server, "paro");
  response.set(dialect() == Dialect::anthropic ? "Request-Id" : "X-Request-Id", request_id_);
  set_cors_fields(response, request_, server_.options.cors_origins, methods_at(request_));
  response.keep_alive(keeps_alive_);
  if (response.result_int() == kOverloadedStatus) response.reason("Overloaded");
  if (response.result() == http::status::service_unavailable || response.result_int() == kOverloadedStatus)
    response.set(http::field::retry_after, "1");
  if (response.result() == http::status::unauthorized) response.set(http::field::www_authenticate, "Bearer");
}

// Ends when the client has left. What it sends ahead is kept for the next request.
asio::awaitable<void> Connection::watch() {
  bool left = false;
  while (!left && buffer_.size() < kReadAheadBytes) {
    const auto [failure, n_read] =
        co_await stream_->async_read_some(buffer_.prepare(4096), asio::as_tuple(asio::use_awaitable));
    left = failure.failed();
    buffer_.commit(n_read);
  }
  // One that sends too far ahead is there; one that only closed its sending side still gets an answer on its way.
  while (!left || (answered_ && !streaming_)) {
    asio::steady_timer until_handled(strand_, asio::steady_timer::time_point::max());
    co_await until_handled.async_wait(asio::use_awaitable);
  }
}

// Closes so that a client which is still sending gets to read the answer.
asio::awaitable<void> Connection::hang_up() {
  const Stream::Deadline deadline(*stream_, kLingerTime);
  co_await stream_->finish();
}

asio::awaitable<void> Connection::respond(unsigned status, json::value body) {
  co_await respond_text(status, json_text(body));
}

asio::awaitable<void> Connection::respond_text(unsigned status, std::string body, std::string_view content_type) {
  HttpResponse response = make_response(status);
  response.set(http::field::content_type, beast::string_view(content_type));
  if (status == 405)
    if (const Route* route = route_at(route_path(std::string_view(request_.target()))))
      response.set(http::field::allow, beast::string_view(allowed_methods(*route)));
  response.content_length(body.size());
  co_await send_whole(std::move(response), body);
}

asio::awaitable<void> Connection::respond_static(unsigned status, std::string_view body, const http::fields& fields) {
  HttpResponse response = make_response(status);
  for (const auto& field : fields) response.set(field.name_string(), field.value());
  if (status != 304) response.content_length(body.size());
  co_await send_whole(std::move(response), body);
}

asio::awaitable<void> Connection::respond_empty(unsigned status) { co_await send_whole(make_response(status), {}); }

// For HEAD the header alone.
asio::awaitable<void> Connection::send_whole(HttpResponse response, std::string_view body) {
  if (draining_) keeps_alive_ = false;
  set_common_fields(response);
  release_body();
  count_answer(response.result_int());
  answered_ = true;
  const Stream::Deadline deadline(*stream_, server_.options.write_timeout);
  const std::string header = header_text(response);
  co_await write(header, request_.method() == http::verb::head ? std::string_view() : body);
}

// To HTTP/1.0 the stream is a body that ends with the connection.
asio::awaitable<void> Connection::begin_events() {
  HttpResponse response = make_response(200);
  response.set(http::field::content_type, "text/event-stream");
  response.set(http::field::cache_control, "no-cache");
  response.set("X-Accel-Buffering", "no");  // proxies pass each event on at once
  const bool chunked = request_.version() >= 11;
  if (chunked) {
    response.chunked(true);
  } else {
    keeps_alive_ = false;
  }
  streaming_ = true;
  co_await send_whole(std::move(response), {});  // whose body is to come
}

asio::awaitable<void> Connection::send_events(std::string frames) {
  if (frames.empty()) co_return;  // an empty chunk would end the answer
  const Stream::Deadline deadline(*stream_, server_.options.write_timeout);
  if (request_.version() >= 11) {
    const std::string header = chunk_header(frames.size());
    co_await write(header, frames, kChunkEnd);
  } else {
    co_await write(frames);
  }
}

asio::awaitable<void> Connection::end_events() {
  streaming_ = false;
  if (request_.version() < 11) co_return;
  const Stream::Deadline deadline(*stream_, server_.options.write_timeout);
  co_await write(kLastChunk);
}

// One after the other, in one call to the system where it can be.
asio::awaitable<void> Connection::write(std::string_view a, std::string_view b, std::string_view c) {
  const std::array<asio::const_buffer, 3> parts{asio::buffer(a), asio::buffer(b), asio::buffer(c)};
  co_await asio::async_write(*stream_, parts, asio::use_awaitable);
}

asio::awaitable<void> Connection::fail_events(const ApiError& error, std::string frames) {
  log_failure(error);
  keeps_alive_ = false;
  co_await send_events(std::move(frames));
  co_await end_events();
}

asio::awaitable<bool> Connection::wait(std::chrono::milliseconds timeout) {
  const bool notified = interrupted_ || co_await wakeup_->wait(timeout);
  if (interrupted_) throw Error(ErrorKind::unavailable, "server: it is stopping");
  co_return notified;
}

void Connection::drain() {
  asio::post(strand_, [self = shared_from_this()] {
    self->draining_ = true;
    if (self->idle_) self->stream_->close();
  });
}

void Connection::interrupt() {
  asio::post(strand_, [self = shared_from_this()] { self->interrupted_ = true; });
  wakeup_->notify();
}

void Connection::close() {
  asio::post(strand_, [self = shared_from_this()] { self->stream_->close(); });
}

std::optional<std::chrono::steady_clock::time_point> Connection::waits_since() const { return stream_->waits_since(); }

json::object Connection::take_json() {
  json::object body = std::move(json_.value());
  json_.reset();
  return body;
}

void Connection::hold_answer(uint64_t n_bytes) { memory_.set_answer_bytes(n_bytes); }

void Connection::count_answer(unsigned status) const {
  server_.metrics->count_answer(route_at(route_path(std::string_view(request_.target()))), status);
}

void Connection::log_failure(const ApiError& error) const {
  if (error.status >= 500) log::warn("{} ({}): {}", std::string_view(request_.target()), request_id_, error.message);
}

void Connection::release_body() {
  std::string().swap(request_.body());
  memory_.set_body_bytes(0);
}

}  // namespace paro::server
