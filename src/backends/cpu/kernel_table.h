// The table of one instruction set, filled from the templates. Each file of a set includes it once.
#pragma once

#include "backends/cpu/attention_kernels.h"
#include "backends/cpu/dense_kernels.h"
#include "backends/cpu/int4_kernels.h"
#include "backends/cpu/int4_row_kernels.h"
#include "backends/cpu/peak_kernels.h"
#include "backends/cpu/rotation_kernels.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/table_kernels.h"

namespace paro::cpu {
namespace {

template <class V>
constexpr Kernels kernel_table(const char* name) {
  Kernels k{};
  k.name = name;
  k.quantize = quantize<V>;
  k.gather_tiles = gather_tiles<V>;
  k.int4_linear = int4_linear<V>;
  k.int4_glu = int4_glu<V>;
  k.table_coarse = table_coarse<V>;
  k.table_fine = table_fine<V>;
  k.dense_linear = dense_linear<V>;
  k.attend = attend<V>;
  k.merge = merge<V>;
  k.append_key = append_key<V>;
  k.scale_zeros = scale_zeros<V>;
  k.pack_table_block = pack_table_block<V>;
  k.table_row = table_row<V>;
  k.pack_int4_row = pack_int4_row<V>;
  k.int4_row = int4_row<V>;
  k.dense_row = dense_row<V>;
  k.rms_norm = rms_norm<V>;
  k.add_rms_norm = add_rms_norm<V>;
  k.rope = rope<V>;
  k.add = add<V>;
  k.scale = scale<V>;
  k.multiply = multiply<V>;
  k.glu = glu<V>;
  k.softmax = softmax<V>;
  k.weighted_sum = weighted_sum<V>;
  k.peak_ops = peak_ops<V>;
  return k;
}

}  // namespace
}  // namespace paro::cpu
