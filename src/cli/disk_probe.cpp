#include "cli/disk_probe.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <vector>

#include "base/align.h"
#include "base/direct_file.h"
#include "base/thread_pool.h"
#include "tensor/buffer.h"

namespace paro::cli {
namespace {

constexpr int64_t kReadBytes = 2 << 20;
constexpr int kReaders = int(DiskSpeed::kProbeBytes / kReadBytes);

struct Stretch {
  size_t file = 0;
  int64_t offset_bytes = 0;
  int64_t n_bytes = 0;
};

std::vector<Stretch> cut(std::span<const File> files) {
  std::vector<Stretch> stretches;
  for (size_t file = 0; file < files.size(); ++file) {
    for (int64_t begin = 0; begin < files[file].size_bytes(); begin += kReadBytes) {
      stretches.push_back({file, begin, std::min(kReadBytes, files[file].size_bytes() - begin)});
    }
  }
  return stretches;
}

}  // namespace

DiskSpeed probe_disk(std::span<const File> files) {
  const std::vector<Stretch> stretches = cut(files);
  std::vector<DirectFile> direct_files;
  for (const File& file : files) direct_files.emplace_back(file);
  const Buffer memory(DiskSpeed::kProbeBytes, "the disk probe");
  ThreadPool readers(kReaders);
  std::atomic<size_t> next{0};
  std::atomic<int64_t> n_bytes{0};
  std::atomic<bool> direct{true};
  const auto start = std::chrono::steady_clock::now();
  readers.run([&](int reader, int) {
    const auto own = memory.bytes().subspan(size_t(reader * kReadBytes), size_t(kReadBytes));
    for (size_t i = next++; i < stretches.size(); i = next++) {
      const Stretch& s = stretches[i];
      const auto blocks = own.first(size_t(round_up(s.n_bytes, DirectFile::kAlignment)));
      const std::optional<int64_t> got = direct_files[s.file].read(s.offset_bytes, blocks);
      if (!got || *got < s.n_bytes) {
        direct = false;
        files[s.file].read_exact(s.offset_bytes, own.first(size_t(s.n_bytes)));
      }
      n_bytes += s.n_bytes;
    }
  });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return {double(n_bytes.load()) / seconds, direct};
}

}  // namespace paro::cli
