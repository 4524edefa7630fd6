// exp and what is made of it, by polynomial: the same operations in every lane of every kernel.
#pragma once

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels_common.h"

namespace paro::cpu {
namespace {

// exp within about 1e-7 of relative error. Below -87.3 the smallest normal number, above 88.3 its largest.
template <class V>
PARO_INLINE typename V::F exp(typename V::F x) {
  x = V::max(V::set1(-87.3f), V::min(V::set1(88.3f), x));  // in this order NaN stays
  const auto n = V::round(V::mul(x, V::set1(1.44269504f)));
  const auto n_float = V::to_float(n);
  // ln 2 in two parts: the first has few enough bits for exact products.
  auto f = V::fnma(n_float, V::set1(0.693359375f), x);
  f = V::fma(n_float, V::set1(2.12194440e-4f), f);
  auto p = V::set1(1.9875691500e-4f);
  p = V::fma(p, f, V::set1(1.3981999507e-3f));
  p = V::fma(p, f, V::set1(8.3334519073e-3f));
  p = V::fma(p, f, V::set1(4.1665795894e-2f));
  p = V::fma(p, f, V::set1(1.6666665459e-1f));
  p = V::fma(p, f, V::set1(5.0000001201e-1f));
  p = V::fma(V::mul(f, f), p, V::add(f, V::set1(1.0f)));
  return V::mul(p, V::pow2(n));
}

// x / (1 + exp(-2 u)): what 0.5 x (1 + tanh u) is, without its cancellation.
template <class V>
PARO_INLINE typename V::F activate(Gate activation, typename V::F x) {
  auto u = x;
  if (activation == Gate::gelu_tanh) {
    const auto cube = V::mul(V::mul(x, x), x);
    u = V::mul(V::set1(1.5957691216f), V::fma(V::set1(0.044715f), cube, x));  // 2 sqrt(2 / pi)
  }
  return V::div(x, V::add(V::set1(1.0f), exp<V>(V::sub(V::zero(), u))));
}

// tanh(x / cap) * cap
template <class V>
PARO_INLINE typename V::F softcap(typename V::F x, float cap) {
  const auto e = exp<V>(V::mul(x, V::set1(2.0f / cap)));
  const auto one = V::set1(1.0f);
  return V::mul(V::div(V::sub(e, one), V::add(e, one)), V::set1(cap));
}

}  // namespace
}  // namespace paro::cpu
