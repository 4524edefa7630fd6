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

void ExpertFiles::begin_read(int number, std::span<std::byte> staging, StoredReader::Flight& flight) const {
  const Stored& stored = experts_[size_t(number)];
  const Region& region = regions_[size_t(stored.region)];
  std::array<StoredReader::Stretch, size_t(kExpertParts) * 3> stretches;
  for (size_t i = 0; i < stretches.size(); ++i) {
    const size_t part = i / 3, tensor = i % 3;
    stretches[i] = {stored.files[part][tensor], stored.offsets[part][tensor], region.n_bytes[part][tensor]};
  }
  try {
    reader_.begin(stretches, staging, flight);
  } catch (const Error& error) {
    throw named(error, number);
  }
}

ExpertFiles::ReadExpert ExpertFiles::finish_read(int number, StoredReader::Flight& flight) const {
  std::array<const std::byte*, size_t(kExpertParts) * 3> begins{};
  try {
    reader_.finish(flight, begins);
  } catch (const Error& error) {
    throw named(error, number);
  }
  ReadExpert read;
  for (size_t i = 0; i < begins.size(); ++i) read[i / 3][i % 3] = begins[i];
  return read;
}

void ExpertFiles::pack(int number, const ReadExpert& read, std::byte* packed) const {
  const Region& region = regions_[size_t(experts_[size_t(number)].region)];
  for (size_t p = 0; p < read.size(); ++p) {
    const auto part = ExpertPart(p);
    const MatrixSpec spec = spec_of(region.spec, part);
    MatrixPiece piece{.n_rows = spec.out, .n_cols = spec.in};
    piece.codes = read[p][0];
    piece.scales = read[p][1];
    piece.zeros = read[p][2];
    piece.codes_stride = region.strides[p][0];
    piece.scales_stride = region.strides[p][1];
    piece.zeros_stride = region.strides[p][2];
    backend_.pack(region.spec, part, piece, packed);
  }
}

int64_t ExpertFiles::stored_bytes(int number) const {
  const Region& region = regions_[size_t(experts_[size_t(number)].region)];
  int64_t n_bytes = 0;
  for (const auto& part : region.n_bytes) n_bytes += std::accumulate(std::begin(part), std::end(part), int64_t(0));
  return n_bytes;
}

int64_t ExpertFiles::staging_bytes(std::span<const ExpertRegion> regions) {
  int64_t largest = 0;
  for (const ExpertRegion& region : regions) {
    std::array<StoredReader::Stretch, size_t(kExpertParts) * 3> stretches;
    for (size_t i = 0; i < stretches.size(); i += 3) {
      const MatrixSpec spec = spec_of(region.spec, ExpertPart(i / 3));
      const int64_t n_scales = spec.n_groups() * spec.out * 2;
      stretches[i].n_bytes = spec.out * spec.in / 2;
      stretches[i + 1].n_bytes = n_scales;
      stretches[i + 2].n_bytes = n_scales;  // as large in the native format, in others a quarter of it
    }
    largest = std::max(largest, StoredReader::room_bytes(stretches));
  }
  return round_up(largest, DirectFile::kAlignment);
}

}  // namespace paro
