#include "engine/expert_files.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

#include "base/align.h"
#include "base/check.h"

namespace paro {
namespace {

std::array<const StoredTensor*, 3> tensors_of(const MatrixLoad& part) { return {part.codes, part.scales, part.zeros}; }

MatrixSpec spec_of(const ExpertSpec& spec, ExpertPart part) {
  return part == ExpertPart::down ? spec.down() : spec.gate();
}

}  // namespace

ExpertFiles::ExpertFiles(std::span<const ExpertRegion> regions, std::vector<File> files, const Backend& backend)
    : backend_(backend), files_(std::move(files)), reader_(files_) {
  for (const ExpertRegion& region : regions) {
    PARO_CHECK(int(region.parts.size()) == region.n_experts, "layer {} is not streamed", region.layer);
    Region& r = regions_.emplace_back();
    r.layer = region.layer;
    r.first = int(experts_.size());
    r.spec = region.spec;
    for (const auto& parts : region.parts) {
      Stored& stored = experts_.emplace_back();
      stored.region = int(regions_.size()) - 1;
      for (int part = 0; part < kExpertParts; ++part) {
        for (int i = 0; const StoredTensor* tensor : tensors_of(parts[size_t(part)])) {
          stored.files[part][i] = tensor->file;
          stored.offsets[part][i] = tensor->offset_bytes;
          r.n_bytes[part][i] = tensor->n_bytes;
          r.strides[part][i] = tensor->n_bytes / tensor->shape[0];
          ++i;
        }
      }
    }
  }
}

Error ExpertFiles::named(const Error& error, int number) const {
  const Region& region = regions_[size_t(experts_[size_t(number)].region)];
  return error.in(fmt::format("expert {} of layer {}", number - region.first, region.layer));
}

void ExpertFiles::begin_read(int number, ExpertPart part, std::span<std::byte> staging,
                             StoredReader::Flight& flight) const {
  const Stored& stored = experts_[size_t(number)];
  const Region& region = regions_[size_t(stored.region)];
  const int p = int(part);
  StoredReader::Stretches stretches;
  for (int i = 0; i < 3; ++i) {
    stretches[size_t(i)] = {stored.files[p][i], stored.offsets[p][i], region.n_bytes[p][i]};
  }
  try {
    reader_.begin(stretches, staging, flight);
  } catch (const Error& error) {
    throw named(error, number);
  }
}

ExpertFiles::ReadPart ExpertFiles::finish_read(int number, StoredReader::Flight& flight) const {
  try {
    return reader_.finish(flight);
  } catch (const Error& error) {
    throw named(error, number);
  }
}

void ExpertFiles::pack(int number, ExpertPart part, const ReadPart& read, std::byte* packed) const {
  const Region& region = regions_[size_t(experts_[size_t(number)].region)];
  const int p = int(part);
  const MatrixSpec spec = spec_of(region.spec, part);
  MatrixPiece piece{.n_rows = spec.out, .n_cols = spec.in};
  piece.codes = read[0];
  piece.scales = read[1];
  piece.zeros = read[2];
  piece.codes_stride = region.strides[p][0];
  piece.scales_stride = region.strides[p][1];
  piece.zeros_stride = region.strides[p][2];
  backend_.pack(region.spec, part, piece, packed);
}

int64_t ExpertFiles::stored_bytes(int number, ExpertPart part) const {
  const Region& region = regions_[size_t(experts_[size_t(number)].region)];
  return std::accumulate(std::begin(region.n_bytes[int(part)]), std::end(region.n_bytes[int(part)]), int64_t(0));
}

int64_t ExpertFiles::staging_bytes(std::span<const ExpertRegion> regions) {
  int64_t largest = 0;
  for (const ExpertRegion& region : regions) {
    for (const ExpertPart part : {ExpertPart::gate, ExpertPart::down}) {
      const MatrixSpec spec = spec_of(region.spec, part);
      const int64_t n_codes = spec.out * spec.in / 2, n_scales = spec.n_groups() * spec.out * 2;
      // Zeros of the native format are as large as scales, others are a quarter of it.
      largest = std::max(largest, StoredReader::room_bytes({{{0, 0, n_codes}, {0, 0, n_scales}, {0, 0, n_scales}}}));
    }
  }
  return round_up(largest, DirectFile::kAlignment);
}

}  // namespace paro
