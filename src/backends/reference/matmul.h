// Matrices, tables and rotations: their unpacked layout, and products with them.
//
// INT4 matrix: codes u8 [out, in], then scale and scaled zero f32 [out, n_groups, 2]. Dense matrix: f32 [out, in].
// Rotation: channel scales f32 [in], then theta f32 [krot, in/2], then pairs i32 [krot, in]. Table: f32 [rows, cols]
// or, with int8 and int4, codes i8 [rows, cols] and a scale f32 for each 32 columns.
#pragma once

#include <span>

#include "ops/backend.h"

namespace paro::reference {

int64_t packed_bytes(const MatrixSpec& spec);
int64_t packed_bytes(const RotationSpec& spec);
int64_t packed_bytes(const TableSpec& spec);
void pack(const MatrixSpec& spec, const MatrixPiece& piece, std::byte* packed);
void pack(const RotationSpec& spec, const StoredRotation& stored, std::byte* packed);
void pack(const TableSpec& spec, const TablePiece& piece, std::byte* packed);

float table_element(const Table& table, int64_t row, int64_t col);

// y[out] = W x for one row x[in] that is already rotated.
void matvec(const MatrixSpec& spec, const std::byte* packed, const float* x, float* y);
// rotated[in] = R(x * channel_scales), or a copy of x without a rotation.
void rotate(const Rotation& rotation, int64_t n, const float* x, float* rotated);

int64_t scratch_bytes(const LinearArgs& args);
int64_t scratch_bytes(const MlpArgs& args);
void linear(const LinearArgs& args, std::span<std::byte> scratch);
void mlp(const MlpArgs& args, std::span<std::byte> scratch);
void head(const HeadArgs& args);

}  // namespace paro::reference
