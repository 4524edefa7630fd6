// Where every part of every expert is stored, in a few bytes each, and how one gets from there into a slot.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "engine/stored_reader.h"
#include "models/weight_binder.h"
#include "ops/backend.h"

namespace paro {

// The parts of an expert: gate, up, down.
constexpr int kExpertParts = 3;

class ExpertFiles {
 public:
  // Of streamed regions, whose tensors lie in `files`. Experts are numbered over all regions in their order.
  ExpertFiles(std::span<const ExpertRegion> regions, std::vector<File> files, const Backend& backend);

  // Reads an expert into `staging`, which begins with a page: from begin_read to finish_read the disk is at work. Then
  // it is packed to `packed`. Any number of threads at once, each with what it gives here of its own. Throws Error{io}
  // naming file and expert.
  using ReadExpert =
      std::array<std::array<const std::byte*, 3>, kExpertParts>;  // codes, scales and zeros in the staging
  void begin_read(int number, std::span<std::byte> staging, StoredReader::Flight& flight) const;
  ReadExpert finish_read(int number, StoredReader::Flight& flight) const;
  void pack(int number, const ReadExpert& read, std::byte* packed) const;

  int64_t stored_bytes(int number) const;  // that loading it reads

  // Of one expert.
  static int64_t staging_bytes(std::span<const ExpertRegion> regions);

  // What this class holds for so many experts.
  static int64_t n_bytes(int64_t n_experts) { return n_experts * int64_t(sizeof(Stored)); }

 private:
  struct Stored {
    int32_t region = 0;
    int32_t files[kExpertParts][3] = {};  // of codes, scales and zeros
    int64_t offsets[kExpertParts][3] = {};
  };
  struct Region {
    int layer = 0;
    int first = 0;  // number of its first expert
    ExpertSpec spec;
    int64_t n_bytes[kExpertParts][3] = {};
    int64_t strides[kExpertParts][3] = {};
  };

  Error named(const Error& error, int number) const;

  const Backend& backend_;
  const std::vector<File> files_;
  StoredReader reader_;
  std::vector<Region> regions_;
  std::vector<Stored> experts_;
};

}  // namespace paro
