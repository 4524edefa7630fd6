#include "cli/disk_probe.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>

#include "base/align.h"

namespace paro::cli {

std::vector<DiskProbe::Stretch> DiskProbe::cut(std::span<const File> files) {
  std::vector<Stretch> stretches;
  for (size_t file = 0; file < files.size(); ++file) {
    for (int64_t begin = 0; begin < files[file].size_bytes(); begin += kReadBytes) {
      stretches.push_back({file, begin, std::min(kReadBytes, files[file].size_bytes() - begin)});
    }
  }
  return stretches;
}

DiskProbe::DiskProbe(std::span<const File> files)
    : files_(files), stretches_(cut(files)), memory_(DiskSpeed::kProbeBytes, "the disk probe"), readers_(kReaders) {
  for (const File& file : files) direct_.emplace_back(file);
}

DiskSpeed DiskProbe::measure() {
  const size_t n = std::min(stretches_.size(), size_t(kMeasuredBytes / kReadBytes));
  std::atomic<size_t> taken{0};
  std::atomic<int64_t> n_bytes{0};
  std::atomic<bool> direct{true};
  const auto start = std::chrono::steady_clock::now();
  readers_.run([&](int reader, int) {
    const auto own = memory_.bytes().subspan(size_t(reader * kReadBytes), size_t(kReadBytes));
    for (size_t i = taken++; i < n; i = taken++) {
      const Stretch& s = stretches_[(next_ + i) % stretches_.size()];
      const auto blocks = own.first(size_t(round_up(s.n_bytes, DirectFile::kAlignment)));
      const std::optional<int64_t> got = direct_[s.file].read(s.offset_bytes, blocks);
      if (!got || *got < s.n_bytes) {
        direct = false;
        files_[s.file].read_exact(s.offset_bytes, own.first(size_t(s.n_bytes)));
      }
      n_bytes += s.n_bytes;
    }
  });
  next_ = (next_ + n) % stretches_.size();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return {double(n_bytes.load()) / seconds, direct};
}

}  // namespace paro::cli
