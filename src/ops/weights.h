// What a model holds of its weights: specs that say what they are, and opaque pointers to the layout that the backend
// packed them into. Shapes are those of this device's share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/expert_source.h"
#include "paroquant/stored.h"

namespace paro {

// A small vector in float32: norm weights, scales, biases, frequencies.
struct Vector {
  const float* data = nullptr;
  int64_t n = 0;
};

struct Rotation {
  RotationSpec spec;  // krot 0: none
  const std::byte* packed = nullptr;
};

// y = W R(x) + bias; dense matrices have no rotation.
struct Linear {
  MatrixSpec spec;
  const std::byte* packed = nullptr;
  Rotation rotation;
  Vector bias;  // [out], n = 0: none
};

// How rows of a table are held: the 16-bit format of the file, or int8 with a scale for each group of columns.
enum class TableType : uint8_t { as_stored, int8 };

// Rows by token: an embedding, a language-model head, or both at once. Only the head is multiplied with.
struct TableSpec {
  int64_t rows = 0;
  int64_t cols = 0;
  StoredFormat stored = StoredFormat::f16;
  TableType type = TableType::as_stored;
};
struct Table {
  TableSpec spec;
  const std::byte* packed = nullptr;
};

// Rows [row_begin, row_begin + n_rows) of a stored table, contiguous, cut at multiples of MatrixPiece::kRowGranule.
struct TablePiece {
  int64_t row_begin = 0, n_rows = 0;
  const std::byte* rows = nullptr;
};

// One expert: gate and up [intermediate, hidden], down [hidden, intermediate], all INT4.
struct ExpertSpec {
  int64_t hidden = 0;
  int64_t intermediate = 0;
  StoredFormat stored = StoredFormat::int4_awq;
  int group_size = 0;

  MatrixSpec gate() const { return {intermediate, hidden, stored, group_size}; }
  MatrixSpec down() const { return {hidden, intermediate, stored, group_size}; }
};
enum class ExpertPart : uint8_t { gate, up, down };

// The experts of one layer, and the two rotations that all of them share.
struct Experts {
  ExpertSpec spec;
  int layer = 0;
  int n_experts = 0;
  Rotation gate_up;  // over hidden
  Rotation down;     // over intermediate
  ExpertSource* source = nullptr;
};

}  // namespace paro
