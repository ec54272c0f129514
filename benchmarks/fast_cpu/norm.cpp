// Batch norm with the ReLU6 that follows it, for training on a CPU with AVX: channels last, float32 or bfloat16.
//
// x, y, g and dx are [rows, c], where the rows are all places of all images; c is a multiple of 8. What belongs to a channel is
// float32. Sums run in float32 over the rows of a block and in float64 over the blocks. `cap` is 6, or 0 for no ReLU6.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "lanes.h"

constexpr int64_t BLOCK = 32;  // rows, which lie in the first cache while each group of channels goes through them

// Two sums over all rows for each channel; `terms(cb)` gives what adds a row to those of the channels from `cb` on.
template <int L, class Terms>
static void add_up_(double* first, double* second, int64_t rows, int64_t c, Terms terms) {
  typedef typename Lanes<L>::v V;
  std::fill(first, first + c, 0.);
  std::fill(second, second + c, 0.);
#pragma omp parallel
  {
    std::vector<double> own(2 * c, 0.);
#pragma omp for schedule(static)
    for (int64_t from = 0; from < rows; from += BLOCK) {
      const int64_t to = std::min(from + BLOCK, rows);
      for (int64_t cb = 0; cb < c; cb += L) {
        const auto add = terms(cb);
        V a{}, b{};
        for (int64_t r = from; r < to; r++) add(r, a, b);
        for (int l = 0; l < L; l++) own[cb + l] += a[l], own[c + cb + l] += b[l];
      }
    }
#pragma omp critical
    for (int64_t l = 0; l < c; l++) first[l] += own[l], second[l] += own[c + l];
  }
}
template <int L, class E>
static void sums_(const E* x, double* sum, double* squares, int64_t rows, int64_t c) {
  LANES
  add_up_<L>(sum, squares, rows, c, [=](int64_t cb) {
    return [=](int64_t r, V& a, V& b) {
      const V v = ld(x + r * c + cb);
      a += v;
      b += v * v;
    };
  });
}
// y = x * scale + shift, between 0 and `cap`.
template <int L, bool CAPPED, class E>
static void apply_(const E* x, const float* scale, const float* shift, E* y, int64_t rows, int64_t c, float cap) {
  LANES
#pragma omp parallel for schedule(static)
  for (int64_t from = 0; from < rows; from += BLOCK) {
    const int64_t to = std::min(from + BLOCK, rows);
    for (int64_t cb = 0; cb < c; cb += L) {
      const V a = ld(scale + cb), b = ld(shift + cb), low = V{}, high = low + cap;
      for (int64_t r = from; r < to; r++) {
        V v = ld(x + r * c + cb) * a + b;
        if (CAPPED) {
          v = v > low ? v : low;
          v = v < high ? v : high;
        }
        st(y + r * c + cb, v);
      }
    }
  }
}
// What g is before the ReLU6.
template <int L, bool CAPPED, class V>
static inline V passed(V g, V x, V a, V b, V low, V high) {
  if (!CAPPED) return g;
  const V v = x * a + b;
  return (v > low) & (v < high) ? g : low;
}
template <int L, bool CAPPED, class E>
static void backward_(const E* x, const E* g, const float* scale, const float* shift, const float* mean, const float* rstd,
                      E* dx, float* dscale, float* dshift, int64_t rows, int64_t c, float cap) {
  LANES
  std::vector<double> sum(c), product(c);
  std::vector<float> slope(c), level(c);
  const V low = V{}, high = low + cap;
  add_up_<L>(sum.data(), product.data(), rows, c, [=](int64_t cb) {
    const V a = ld(scale + cb), b = ld(shift + cb), m = ld(mean + cb);
    return [=](int64_t r, V& s, V& p) {
      const V v = ld(x + r * c + cb);
      const V h = passed<L, CAPPED>(ld(g + r * c + cb), v, a, b, low, high);
      s += h;
      p += h * (v - m);
    };
  });
  for (int64_t l = 0; l < c; l++) {
    dshift[l] = float(sum[l]);
    dscale[l] = float(product[l] * rstd[l]);
    // dx = scale * (h - sum / rows - (x - mean) * rstd^2 * product / rows)
    const double of_x = -scale[l] * double(rstd[l]) * rstd[l] * product[l] / rows;
    slope[l] = float(of_x);
    level[l] = float(-scale[l] * sum[l] / rows - of_x * mean[l]);
  }
#pragma omp parallel for schedule(static)
  for (int64_t from = 0; from < rows; from += BLOCK) {
    const int64_t to = std::min(from + BLOCK, rows);
    for (int64_t cb = 0; cb < c; cb += L) {
      const V a = ld(scale + cb), b = ld(shift + cb), e = ld(&slope[cb]), f = ld(&level[cb]);
      for (int64_t r = from; r < to; r++) {
        const V v = ld(x + r * c + cb);
        st(dx + r * c + cb, passed<L, CAPPED>(ld(g + r * c + cb), v, a, b, low, high) * a + (v * e + f));
      }
    }
  }
}
#define OF_WIDTH(call) \
  if (c % WIDE == 0) { call(WIDE) } else { call(8) }
#define SUMS(L) sums_<L>(x, sum, squares, rows, c);
#define APPLY(L) \
  if (cap > 0) apply_<L, true>(x, scale, shift, y, rows, c, cap); else apply_<L, false>(x, scale, shift, y, rows, c, cap);
#define BACKWARD(L)                                                                                     \
  if (cap > 0) backward_<L, true>(x, g, scale, shift, mean, rstd, dx, dscale, dshift, rows, c, cap);     \
  else backward_<L, false>(x, g, scale, shift, mean, rstd, dx, dscale, dshift, rows, c, cap);
#define ENTRIES(name, E)                                                                                               \
  extern "C" void bn_sums_##name(const E* x, double* sum, double* squares, int64_t rows, int64_t c) { OF_WIDTH(SUMS) }  \
  extern "C" void bn_apply_##name(const E* x, const float* scale, const float* shift, E* y, int64_t rows, int64_t c,     \
                                  float cap) { OF_WIDTH(APPLY) }                                                        \
  extern "C" void bn_backward_##name(const E* x, const E* g, const float* scale, const float* shift, const float* mean,  \
                                     const float* rstd, E* dx, float* dscale, float* dshift, int64_t rows, int64_t c,    \
                                     float cap) { OF_WIDTH(BACKWARD) }
ENTRIES(float32, float)
ENTRIES(bfloat16, uint16_t)
