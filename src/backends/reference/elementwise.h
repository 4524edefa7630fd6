// Norms, rotary positions, activations and other ops that work on single rows.
#pragma once

#include <span>

#include "ops/backend.h"

namespace paro::reference {

void embedding(const Table& table, std::span<const int32_t> ids, float factor, Tensor y);
void rms_norm(Tensor x, Vector weight, float eps, Tensor y);
void add_rms_norm(Tensor into, Tensor x, Vector weight, float eps);
void rope_table(std::span<const int32_t> positions, Vector inv_freq, Tensor table);
void rope(Tensor x, Tensor table);
void add(Tensor into, Tensor x);
void scale(Tensor x, Vector factors);
void glu(Activation activation, Tensor gate, Tensor up, Tensor y);
void take_rows(Tensor x, std::span<const int32_t> rows, Tensor y);
void take_slice(Tensor x, int64_t index, Tensor y);

float activate(Activation activation, float x);

}  // namespace paro::reference
