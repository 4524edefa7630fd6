// Stored pieces of weights into the layouts of kernels.h. Re-entrant: pieces write disjoint bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/kernels.h"
#include "ops/weights.h"

namespace paro::cpu {

// Blocks of the matrix lie block_stride bytes apart.
void pack_int4(const Kernels& kernels, const MatrixSpec& spec, const MatrixPiece& piece, int64_t block_stride,
               std::byte* packed);
void pack_dense(const MatrixSpec& spec, const MatrixPiece& piece, std::byte* packed);
void pack_rotation(const RotationSpec& spec, const StoredRotation& stored, std::byte* packed);
void pack_table(const Kernels& kernels, const TableSpec& spec, const TablePiece& piece, std::byte* packed);

}  // namespace paro::cpu
