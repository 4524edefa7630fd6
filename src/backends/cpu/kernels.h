// The door between the backend and its instruction sets: jobs in plain pointers and sizes, and one table of functions
// for each set. The files of an instruction set include nothing with inline functions of others: the linker would keep
// one copy, built for whichever machine.
#pragma once

#include <cstdint>

namespace paro::cpu {

constexpr int kBlockRows = 16;   // output channels of an INT4 or int8 block, one a lane
constexpr int kTokenBlock = 16;  // tokens that are rotated together, one a lane
constexpr int kPage = 32;        // tokens of a cache page
constexpr int kSplitKeys = 256;  // keys that are summed together, at absolute positions
constexpr int kSplitPages = kSplitKeys / kPage;
constexpr int kValueBlock = 32;     // channels of values that lie together
constexpr int kMaxAttendRows = 32;  // query rows of one job
constexpr int kMaxGroup = 256;
constexpr int kTableGroup = 32;  // columns of an int8 or int4 table that share a scale
constexpr int kInt4TableGroupBytes = 2 + kTableGroup / 2;

enum class Element : int { f32, f16, bf16, i8 };
enum class Gate : int { gelu_tanh, silu };

constexpr int kSpanTokens = 48;  // tokens whose tiles are cut together: work on tiles begins at a multiple of it

// Quantized activations of n tokens. A tile of t tokens holds int8 codes [n_groups, t, group_size], then for each group
// and token {float scale, correction}: the correction is -scale * sum of the group's codes, or for products with int8
// tables that sum alone. Each span of kSpanTokens is cut into the fewest tiles of almost one size that the instruction
// set takes, for products with INT4 blocks; or every row is a tile of its own.
struct QuantizedRows {
  uint8_t* data;
  int64_t stride;  // bytes of a row; a tile that begins with token i stands at i * stride
  int64_t n_in;    // codes of a row
  bool tiled;
};

// Rotates (if there is a rotation) and quantizes x. A unit is a group of up to kTokenBlock tokens; units count groups
// first. A rotation's group is channel_scales f16 [g], krot times {source u8 [g], cos f16 [g/2], sin f16 [g/2]}, order
// u8 [g]: in round r, place p and place p + g/2 turn with each other after place p took what was in place source[p]; in
// the end channel k is in place order[k].
struct QuantizeJob {
  const float* x;  // [n, x_stride]
  int64_t x_stride;
  int64_t n;
  const uint8_t* rotation;
  int krot;
  int group_size;
  int64_t n_groups;
  bool plain_sums;  // as corrections
  QuantizedRows q;
};

// INT4 blocks of 16 rows are n_groups tiles: lines of 64 bytes, each 8 input channels of 16 rows (byte 4 r + b: channel
// b of row r below, channel b + 4 above), then 16 f16 scales, 16 f16 scale * zero.
struct Int4Job {
  const uint8_t* blocks;
  int64_t block_bytes;
  int64_t n_groups;
  int group_size;
  QuantizedRows x;    // tiled
  int64_t n;          // tokens
  const float* bias;  // null: none
  float* y;           // [n, y_stride]
  int64_t y_stride;
  int64_t n_rows;
};

// y = activation(gate x_gate) * up x_up. Blocks of gate and up follow each other at block_stride.
struct GluJob {
  const uint8_t* gate;
  const uint8_t* up;
  int64_t block_stride;
  int64_t n_groups;
  int group_size;
  QuantizedRows x_gate;
  QuantizedRows x_up;
  int64_t n;
  const float* gate_bias;
  const float* up_bias;
  Gate activation;
  float* y;
  int64_t y_stride;
  int64_t n_rows;
};

// int8 tables lie in two planes: weight = row scale * scale * (4 coarse + fine - 128). A coarse block of 16 rows is u8
// scales [n_groups, 16] padded to 64 bytes, f32 row scales [16], f32 row bounds [16], then for each 16 columns three
// lines of 64 bytes: the low four bits of columns 0-7, those of columns 8-15, the high two bits of all. A fine block is
// a line for each 16 columns. Byte 4 r + b belongs to row r: of four bits it holds columns b and b + 4 (or b + 8 and
// b + 12), of two bits columns b, b + 4, b + 8, b + 12, the first lowest.
//
// A logit is its coarse part + its fine part, sums of their own over groups in ascending order:
//   row scale * sum of scale * x scale * (4 coarse x - 126.5 sum of x), and the same with fine x - 1.5 sum of x.
// |fine part| <= row bound * norm of x, whatever rounding does.
struct TableJob {
  const uint8_t* coarse;
  const uint8_t* fine;
  int64_t coarse_block_bytes;
  int64_t fine_block_bytes;
  int64_t row_scales_offset;  // in a coarse block
  int64_t n_groups;
  QuantizedRows x;
  int64_t n;
  float* y;  // [n, y_stride]
  int64_t y_stride;
  int64_t n_rows;
  int64_t n_blocks;
  float softcap;

  // Of each token, [n]; null: every logit gets its fine part.
  const float* norms;
  const float* thresholds;
  // Of the rows of each block, [n, n_blocks].
  float* lower;  // largest coarse part - bound
  float* upper;  // largest coarse part + bound
};

// int4 tables are only looked up in, and lie row by row: for each group of columns its scale f16, then 16 bytes, of
// which byte i holds column i in the low four bits and column i + 16 in the high ones. weight = scale * (code - 8).

// Rows of 16- or 32-bit elements, zero-padded to a multiple of 16.
struct DenseJob {
  const uint8_t* rows;
  int64_t row_bytes;
  Element element;
  int64_t n_cols;
  const float* x;  // [n, n_cols]
  int64_t n;
  const float* bias;
  float softcap;
  float* y;
  int64_t y_stride;
};

// The cache page of one key head: K [head_dim, kPage], V [padded_dim / kValueBlock, kPage, kValueBlock]. int8 goes by
// pairs, K [ceil(head_dim / 2), kPage, 2], V [padded_dim / kValueBlock, kPage / 2, kValueBlock, 2], with the scales of
// both, f32 [2, kPage].
struct KvLayout {
  Element element;
  int head_dim;
  int padded_dim;  // multiple of kValueBlock
  int64_t values_offset;
  int64_t scales_offset;
};

// One split of keys for n_rows query rows of one key head: softmax(scale q k) v over keys [begin, end) of each row,
// counted from the split's first. Rows with begin == end are left alone.
struct AttendJob {
  KvLayout layout;
  const uint8_t* pages[kSplitPages];
  int n_rows;
  const float* q[kMaxAttendRows];
  int begin[kMaxAttendRows];
  int end[kMaxAttendRows];
  float scale;
  float* scores;   // scratch [kMaxAttendRows, kSplitKeys]
  int16_t* codes;  // scratch [kMaxAttendRows, padded_dim], for int8
  float* max;      // [n_rows] of the scores
  float* sum;      // [n_rows] of exp(score - max)
  float* values;   // [n_rows, padded_dim], not yet divided by sum
};

struct Kernels {
  const char* name;

  void (*quantize)(const QuantizeJob& job, int64_t unit_begin, int64_t unit_end);
  // Rows index[0, n) of untiled x, n <= kSpanTokens, as tiles.
  void (*gather_tiles)(const QuantizedRows& x, int group_size, const int32_t* index, int n, const QuantizedRows& tiles);
  // Tokens [0, n) times blocks [begin, end).
  void (*int4_linear)(const Int4Job& job, int64_t block_begin, int64_t block_end);
  void (*int4_glu)(const GluJob& job, int64_t block_begin, int64_t block_end);
  // y = coarse part, and with norms also lower and upper.
  void (*table_coarse)(const TableJob& job, int64_t block_begin, int64_t block_end);
  // y += fine part for tokens whose upper reaches their threshold; then the softcap.
  void (*table_fine)(const TableJob& job, int64_t block_begin, int64_t block_end);
  void (*dense_linear)(const DenseJob& job, int64_t row_begin, int64_t row_end);

  void (*attend)(const AttendJob& job);
  // into (max, sum, values) takes in the next split of the same row.
  void (*merge)(int padded_dim, float* into, const float* from);
  void (*append_key)(const KvLayout& layout, const float* k, const float* v, uint8_t* page, int slot);

  // out[i] = scale f16 * zero, for 16 rows.
  void (*scale_zeros)(const uint16_t* scales, const uint8_t* zeros, uint16_t* out);
  // The stored rows of one block, stride bytes apart; fewer than its lanes at the end of a table.
  void (*pack_table_block)(const uint8_t* rows, int64_t stride, int n_rows, Element element, int64_t n_groups,
                           int64_t row_scales_offset, uint8_t* coarse, uint8_t* fine);
  void (*table_row)(const uint8_t* coarse, const uint8_t* fine, int64_t row_scales_offset, int64_t n_groups, int lane,
                    float scale, float* y);
  // One stored row to its place in an int4 table, and back.
  void (*pack_int4_row)(const uint8_t* row, Element element, int64_t n_groups, uint8_t* packed);
  void (*int4_row)(const uint8_t* packed, int64_t n_groups, float scale, float* y);
  void (*dense_row)(const uint8_t* row, Element element, int64_t n_cols, float scale, float* y);

  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t n, float* y);
  void (*add_rms_norm)(const float* x, const float* weight, float eps, int64_t n, float* into);
  void (*rope)(float* x, const float* table, int64_t half_dim);
  void (*add)(float* into, const float* x, int64_t n);
  void (*scale)(float* x, float factor, int64_t n);
  void (*multiply)(float* x, const float* factors, int64_t n);
  void (*glu)(Gate activation, const float* gate, const float* up, int64_t n, float* y);
  void (*softmax)(const float* x, int64_t n, float* y);
  // y = sum over i of weights[i] * rows[index[i]], ascending.
  void (*weighted_sum)(const float* rows, int64_t stride, const int32_t* index, const float* weights, int n_rows,
                       int64_t n, float* y);

  // The dots that the products are made of, n_rounds times on registers alone: integer operations done, two for each
  // multiply-add, or 0 when their sums are wrong.
  double (*peak_ops)(int64_t n_rounds);
};

}  // namespace paro::cpu
