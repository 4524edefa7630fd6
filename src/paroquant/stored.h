// Weights as a checkpoint stores them: views of bytes just read, before a backend packs them into its own layout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace paro {

// How the elements of a matrix are stored.
enum class StoredFormat : uint8_t {
  f16,       // [out, in]
  bf16,      // [out, in]
  f32,       // [out, in]
  int4_awq,  // qweight int32 [in, out/8], nibble k of word w is output channel 8w + (0,2,4,6,1,3,5,7)[k]; qzeros alike
  int4_native,  // qweight int16 [out/4, in], nibble k of row r is output channel 4r + k; scaled zeros f16
};

constexpr bool is_int4(StoredFormat format) {
  return format == StoredFormat::int4_awq || format == StoredFormat::int4_native;
}

// A matrix [out, in]; group_size input channels share a scale and a zero point (INT4 only).
struct MatrixSpec {
  int64_t out = 0;
  int64_t in = 0;
  StoredFormat stored = StoredFormat::f16;
  int group_size = 0;

  int64_t n_groups() const { return group_size == 0 ? 0 : in / group_size; }
};

// A rectangle of a stored matrix: output channels [row_begin, row_begin + n_rows), input channels [col_begin, col_begin
// + n_cols). Pointers are to its first element, strides in bytes from one stored line to the next. Rows begin at a
// multiple of kRowGranule and, unless they end the matrix, are a multiple of it; columns are whole groups.
struct MatrixPiece {
  static constexpr int64_t kRowGranule = 64;

  int64_t row_begin = 0, n_rows = 0;
  int64_t col_begin = 0, n_cols = 0;
  const std::byte* codes =
      nullptr;  // a line is: awq an input channel, native 4 output channels, dense an output channel
  int64_t codes_stride = 0;
  const std::byte* scales = nullptr;  // f16, a line is a group                                       (INT4 only)
  int64_t scales_stride = 0;
  const std::byte* zeros = nullptr;  // awq packed codes, native f16 scale * zero, a line is a group  (INT4 only)
  int64_t zeros_stride = 0;
};

// The pairwise rotation before an INT4 matrix: krot rounds over `in` channels, inside groups of group_size.
struct RotationSpec {
  int64_t in = 0;
  int group_size = 0;
  int krot = 0;
};

struct StoredRotation {
  const uint16_t* theta = nullptr;           // f16 [krot, in/2], radians
  const int16_t* pairs = nullptr;            // [krot, in], (i, j) side by side, local to their group
  const uint16_t* channel_scales = nullptr;  // f16 [in], multiplies the activation before the first round
};

// Throws Error{checkpoint} naming `name` unless the pairs of every round name each channel of their group once.
void check_pairs(const RotationSpec& spec, const StoredRotation& rotation, std::string_view name);

}  // namespace paro
