// Channels of a place side by side in a register, for depthwise.cpp and norm.cpp.
#pragma once
#include <cstdint>

// L floats of one register, and how they lie in memory: as floats, or as the upper halves of floats.
template <int L>
struct Lanes;
#define OF_LANES(L)                                                                           \
  template <>                                                                                 \
  struct Lanes<L> {                                                                           \
    typedef float v __attribute__((vector_size(4 * L), aligned(4)));                          \
    typedef uint32_t bits __attribute__((vector_size(4 * L)));                                \
    typedef uint16_t half __attribute__((vector_size(2 * L), aligned(2)));                    \
    static inline v ld(const float* p) { return *reinterpret_cast<const v*>(p); }             \
    static inline void st(float* p, v a) { *reinterpret_cast<v*>(p) = a; }                    \
    static inline v ld(const uint16_t* p) {                                                   \
      return (v)(__builtin_convertvector(*reinterpret_cast<const half*>(p), bits) << 16);     \
    }                                                                                         \
    static inline void st(uint16_t* p, v a) { /* to the nearest, to the even one of two */    \
      const bits b = (bits)a;                                                                 \
      *reinterpret_cast<half*>(p) = __builtin_convertvector((b + 0x7fff + ((b >> 16) & 1)) >> 16, half); \
    }                                                                                         \
  };
OF_LANES(8)
OF_LANES(16)
#define LANES                          \
  typedef typename Lanes<L>::v V;      \
  constexpr auto ld = [](auto* p) { return Lanes<L>::ld(p); }; \
  constexpr auto st = [](auto* p, V a) { Lanes<L>::st(p, a); };

#ifdef __AVX512F__
constexpr int64_t WIDE = 16;
#else
constexpr int64_t WIDE = 8;
#endif
