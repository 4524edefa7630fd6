// The C++ side of check.py: encodes byte strings and decodes them again, all at once and token by token.
//
// usage: paro_tokenize_lines TOKENIZER_JSON < requests > answers
//        paro_tokenize_lines TOKENIZER_JSON --speed TEXT_FILE
//
// Numbers are little-endian uint32. Request: length, bytes. Answer: count, ids with special tokens added; then twice
// (all tokens, special ones skipped) length, text. A stream that differs from the whole ends the program with status 1.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr int64_t kFileLimitBytes = int64_t(1) << 30;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double resident_mib() {
  std::ifstream statm("/proc/self/statm");
  int64_t size_pages = 0;
  int64_t resident_pages = 0;
  statm >> size_pages >> resident_pages;
  return double(resident_pages) * double(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

bool read_number(uint32_t& number) { return std::fread(&number, sizeof(number), 1, stdin) == 1; }
void write_number(size_t number) {
  const uint32_t word = uint32_t(number);
  std::fwrite(&word, sizeof(word), 1, stdout);
}

std::string stream(const paro::text::Tokenizer& tokenizer, const std::vector<int32_t>& ids, bool skip_special) {
  paro::text::StreamDecoder decoder(tokenizer, skip_special);
  std::string text;
  for (const int32_t id : ids) {
    const std::string piece = decoder.push(id);
    if (!paro::text::is_valid_utf8(piece)) throw paro::Error(paro::ErrorKind::internal, "a piece cuts a character");
    text += piece;
  }
  return text + decoder.finish();
}

void answer(const paro::text::Tokenizer& tokenizer, std::string_view text) {
  const std::vector<int32_t> ids = tokenizer.encode(text, true);
  write_number(ids.size());
  std::fwrite(ids.data(), sizeof(int32_t), ids.size(), stdout);
  for (const bool skip_special : {false, true}) {
    const std::string decoded = tokenizer.decode(ids, skip_special);
    if (stream(tokenizer, ids, skip_special) != decoded) {
      throw paro::Error(paro::ErrorKind::internal, "the stream differs from the whole: '{}'", decoded);
    }
    write_number(decoded.size());
    std::fwrite(decoded.data(), 1, decoded.size(), stdout);
  }
}

void report_speed(const char* tokenizer_path, const char* text_path) {
  const std::string text = paro::read_text_file(text_path, kFileLimitBytes);
  const double before_mib = resident_mib();
  auto json = std::make_unique<std::string>(paro::read_text_file(tokenizer_path, kFileLimitBytes));
  const double json_mib = double(json->size()) / (1 << 20);
  auto start = Clock::now();
  const auto tokenizer = paro::text::Tokenizer::from_json(*json);
  fmt::print("load {:.3f} s\n", seconds_since(start));
  json.reset();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("memory_bytes {:.2f} MiB, resident {:+.2f} MiB, peak {:.1f} MiB with {:.1f} MiB of json\n",
             double(tokenizer.memory_bytes()) / (1 << 20), resident_mib() - before_mib, double(usage.ru_maxrss) / 1024,
             json_mib);
  for (int i = 0; i < 3; ++i) {
    start = Clock::now();
    const std::vector<int32_t> ids = tokenizer.encode(text, false);
    const double encode_s = seconds_since(start);
    start = Clock::now();
    const std::string decoded = tokenizer.decode(ids, false);
    fmt::print("encode {:.2f} MB/s, decode {:.1f} MB/s, {} tokens\n", double(text.size()) / encode_s / 1e6,
               double(decoded.size()) / seconds_since(start) / 1e6, ids.size());
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 4 && std::string_view(argv[2]) == "--speed") {
      report_speed(argv[1], argv[3]);
      return 0;
    }
    if (argc != 2) {
      fmt::print(stderr, "usage: paro_tokenize_lines TOKENIZER_JSON [--speed TEXT_FILE]\n");
      return 2;
    }
    const auto tokenizer = paro::text::Tokenizer::from_json(paro::read_text_file(argv[1], kFileLimitBytes));
    std::string text;
    for (uint32_t size_bytes = 0; read_number(size_bytes);) {
      text.resize(size_bytes);
      if (std::fread(text.data(), 1, size_bytes, stdin) != size_bytes) return 2;
      answer(tokenizer, text);
      std::fflush(stdout);
    }
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
