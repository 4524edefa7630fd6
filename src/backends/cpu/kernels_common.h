// What all kernel templates share.
#pragma once

#define PARO_INLINE inline __attribute__((always_inline))
#define PARO_NOINLINE __attribute__((noinline))
#define PARO_UNROLL _Pragma("GCC unroll 32")
