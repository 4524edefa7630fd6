// What the matrix products of a step come to, counted from their shapes: two operations for each multiply-add.
#pragma once

#include <cstdint>

#include "ops/weights.h"

namespace paro {

struct Work {
  double integer_ops = 0;  // of weights held as INT4 or int8
  double float_ops = 0;    // of all other weights

  void add(const MatrixSpec& spec, int64_t n_rows) { add(is_int4(spec.stored), spec.out, spec.in, n_rows); }
  void add(const TableSpec& spec, int64_t n_rows) { add(spec.type == TableType::int8, spec.rows, spec.cols, n_rows); }

 private:
  void add(bool is_integer, int64_t out, int64_t in, int64_t n_rows) {
    (is_integer ? integer_ops : float_ops) += 2.0 * double(out) * double(in) * double(n_rows);
  }
};

}  // namespace paro
