// The folder that blocks of prompts are written to: DIR/<fingerprint>/<key>. Each fingerprint's folder is one process's
// while it runs; those that no process has are leftovers of other models or programs, and make room first.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "engine/prefix_file.h"

namespace paro {

class PrefixDirectory {
 public:
  // Makes the folder, where it is not there. Throws Error{io}, and Error{usage} where another process has it.
  PrefixDirectory(std::filesystem::path root, const PrefixKey& fingerprint);
  ~PrefixDirectory();
  PrefixDirectory(PrefixDirectory&& other) noexcept;
  PrefixDirectory& operator=(PrefixDirectory&&) = delete;

  const PrefixKey& fingerprint() const { return fingerprint_; }
  std::filesystem::path file(const PrefixKey& key) const;
  std::filesystem::path unfinished(const PrefixKey& key) const;  // the name of a file until it is whole

  using Found = std::function<void(const PrefixKey& key, int64_t n_bytes, std::filesystem::file_time_type time)>;
  // Files of whole name. Those that were never finished are removed.
  void scan(const Found& found) const;

  // Bytes of other fingerprints' files that no process has, as they count.
  int64_t others_bytes() const;
  // Removes such files until n_bytes are free or none is left; returns how many are.
  int64_t remove_others(int64_t n_bytes) const;

 private:
  void open();

  std::filesystem::path root_;
  PrefixKey fingerprint_;
  std::filesystem::path own_;
  int lock_ = -1;  // descriptor of own_, locked
};

}  // namespace paro
