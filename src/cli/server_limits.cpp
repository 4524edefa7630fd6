#include "cli/server_limits.h"

#include <CLI/CLI.hpp>
#include <chrono>

#include "base/error.h"
#include "cli/byte_size.h"
#include "cli/number_range.h"
#include "engine/options.h"
#include "server/compiled_grammars.h"

namespace paro::cli {
namespace {

constexpr const char* kGroup = "Server limits";
constexpr int64_t kLeastHeaderBytes = 1 << 10, kMostHeaderBytes = 16 << 20;

std::string in_kib_or_mib(uint64_t n_bytes) {
  return n_bytes % (1 << 20) == 0 ? fmt::format("{}MiB", n_bytes >> 20) : fmt::format("{}KiB", n_bytes >> 10);
}

double seconds(std::chrono::milliseconds time) { return std::chrono::duration<double>(time).count(); }

std::chrono::milliseconds milliseconds(double time_s) { return std::chrono::milliseconds(int64_t(time_s * 1000)); }

// None of these are parts of the memory at hand.
int64_t size_bytes(std::string_view flag, const std::string& text) {
  if (text.ends_with('%')) {
    throw Error(ErrorKind::usage, "{} is '{}', which is a part of a whole; expected a size such as 64KiB or 32MiB",
                flag, text);
  }
  return parse_byte_size(flag, text, 0);
}

}  // namespace

ServerLimits::ServerLimits() : max_queue_(EngineOptions().max_queue) {
  const server::ServerOptions defaults;
  max_connections_ = defaults.max_connections;
  http_threads_ = defaults.n_threads;
  max_header_ = in_kib_or_mib(defaults.max_header_bytes);
  max_body_ = in_kib_or_mib(defaults.max_body_bytes);
  max_request_memory_ = in_kib_or_mib(defaults.max_request_bytes);
  grammar_memory_ = in_kib_or_mib(uint64_t(defaults.grammar_bytes));
  idle_timeout_s_ = seconds(defaults.idle_timeout);
  read_timeout_s_ = seconds(defaults.read_timeout);
  write_timeout_s_ = seconds(defaults.write_timeout);
  ping_interval_s_ = seconds(defaults.ping_interval);
}

void ServerLimits::add_to(CLI::App& app) {
  const auto add_count = [&](const char* flag, int& value, int most, const char* what) {
    app.add_option(flag, value, what)->check(CLI::Range(1, most))->capture_default_str()->group(kGroup);
  };
  const auto add_size = [&](const char* flag, std::string& value, const char* what) {
    app.add_option(flag, value, what)->capture_default_str()->group(kGroup);
  };
  const auto add_time = [&](const char* flag, double& value_s, const char* what) {
    app.add_option(flag, value_s, what)
        ->check(number_range(0.001, 86400, "number of seconds"))
        ->capture_default_str()
        ->group(kGroup);
  };
  add_count("--max-connections", max_connections_, 65536, "Clients that are connected at once; more are told 503");
  add_count("--max-queue", max_queue_, 65536, "Sequences that wait for their turn; more are told 503");
  add_count("--http-threads", http_threads_, 256, "Threads that read requests and write answers");
  add_size("--max-header", max_header_, "Most bytes of a request's header");
  add_size("--max-body", max_body_, "Most bytes of a request's body");
  add_size("--max-request-memory", max_request_memory_,
           "Most memory of requests that are being read, and of whole answers");
  add_size("--grammar-memory", grammar_memory_,
           "Memory of grammars and schemas that answers are held to; more are told 503, and 0 keeps none");
  add_time("--idle-timeout", idle_timeout_s_, "Seconds after which a connection without request is closed");
  add_time("--read-timeout", read_timeout_s_, "Seconds within which a request has to arrive");
  add_time("--write-timeout", write_timeout_s_, "Seconds that a client may take to read what was written");
  add_time("--ping-interval", ping_interval_s_, "Seconds without a word after which a stream gets a comment");
}

void ServerLimits::apply_to(server::ServerOptions& server) const {
  server.max_connections = max_connections_;
  server.n_threads = http_threads_;
  const int64_t header_bytes = size_bytes("--max-header", max_header_);
  if (header_bytes < kLeastHeaderBytes || header_bytes > kMostHeaderBytes) {
    throw Error(ErrorKind::usage, "--max-header is {}, expected {} to {}", max_header_,
                in_kib_or_mib(kLeastHeaderBytes), in_kib_or_mib(kMostHeaderBytes));
  }
  server.max_header_bytes = static_cast<uint32_t>(header_bytes);
  server.max_body_bytes = static_cast<uint64_t>(size_bytes("--max-body", max_body_));
  server.max_request_bytes = static_cast<uint64_t>(size_bytes("--max-request-memory", max_request_memory_));
  if (server.max_body_bytes > server.max_request_bytes) {
    throw Error(ErrorKind::usage, "--max-body is {}, more than the {} of --max-request-memory; give more of that",
                max_body_, max_request_memory_);
  }
  server.grammar_bytes = grammar_memory_ == "0" ? 0 : size_bytes("--grammar-memory", grammar_memory_);
  if (server.grammar_bytes != 0 && server.grammar_bytes < server::CompiledGrammars::kLeastBytes) {
    throw Error(ErrorKind::usage, "--grammar-memory is {}, expected {} or more, or 0 for none", grammar_memory_,
                in_kib_or_mib(uint64_t(server::CompiledGrammars::kLeastBytes)));
  }
  server.idle_timeout = milliseconds(idle_timeout_s_);
  server.read_timeout = milliseconds(read_timeout_s_);
  server.write_timeout = milliseconds(write_timeout_s_);
  server.ping_interval = milliseconds(ping_interval_s_);
}

}  // namespace paro::cli
