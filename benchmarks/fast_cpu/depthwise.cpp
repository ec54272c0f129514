// Depthwise convolution for training on a CPU with AVX: channels last, float32 or bfloat16, kernels of 3 and 5, strides of 1 and 2.
//
// x [n, h, w, c], weights [k, k, c], y and its gradient g [n, oh, ow, c]; c is a multiple of 8. `pt` and `pl` are the
// padding above and left; what is below and right follows from the sizes. Weights, their gradient and all sums are float32,
// whatever the images are. Images are shared out over the threads; a row is done `L` channels and four columns at a time,
// so that each value is loaded once for several products.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "lanes.h"

struct Dim { int64_t n, h, w, c, oh, ow, pt, pl; };

// One row of y. With flipped weights it is one row of the gradient of the input at stride 1.
template <int L, int K, int S, int T, class E>
static inline void row_forward(const E* x, const float* wt, E* y, const Dim& d, int64_t o, int64_t cb) {
  LANES
  const int64_t top = o * S - d.pt;
  const int i0 = std::max<int64_t>(0, -top), i1 = std::min<int64_t>(K, d.h - top);
  const int64_t C = d.c;
  int64_t q = 0;
  while (q < d.ow) {
    const int64_t left = q * S - d.pl;
    if (left >= 0 && left + (T - 1) * S + K <= d.w && q + T <= d.ow) {
      V a[T];
      for (int t = 0; t < T; t++) a[t] = V{};
      for (int i = i0; i < i1; i++) {
        const E* xr = x + ((top + i) * d.w + left) * C + cb;
        const float* wr = wt + i * K * C + cb;
        V wv[K];
#pragma GCC unroll 8
        for (int j = 0; j < K; j++) wv[j] = ld(wr + j * C);
#pragma GCC unroll 16
        for (int p = 0; p < (T - 1) * S + K; p++) {
          const V xv = ld(xr + p * C);
#pragma GCC unroll 8
          for (int t = 0; t < T; t++) {
            const int j = p - t * S;
            if (j >= 0 && j < K) a[t] += xv * wv[j];
          }
        }
      }
      for (int t = 0; t < T; t++) st(y + (o * d.ow + q + t) * C + cb, a[t]);
      q += T;
    } else {
      V a = V{};
      const int j0 = std::max<int64_t>(0, -left), j1 = std::min<int64_t>(K, d.w - left);
      for (int i = i0; i < i1; i++)
        for (int j = j0; j < j1; j++)
          a += ld(x + ((top + i) * d.w + left + j) * C + cb) * ld(wt + (i * K + j) * C + cb);
      st(y + (o * d.ow + q) * C + cb, a);
      q++;
    }
  }
}
// Of the gradient of the input at stride 2: each place gathers the products that it had a part in.
template <int L, int K, int S, class E>
static inline void row_data(const E* g, const float* wt, E* dx, const Dim& d, int64_t r, int64_t cb) {
  LANES
  const int64_t C = d.c;
  for (int64_t q = 0; q < d.w; q++) {
    V a = V{};
    for (int i = (r + d.pt) % S; i < K; i += S) {
      const int64_t o = (r + d.pt - i) / S;
      if (r + d.pt - i < 0 || o >= d.oh) continue;
      for (int j = (q + d.pl) % S; j < K; j += S) {
        const int64_t p = (q + d.pl - j) / S;
        if (q + d.pl - j < 0 || p >= d.ow) continue;
        a += ld(g + (o * d.ow + p) * C + cb) * ld(wt + (i * K + j) * C + cb);
      }
    }
    st(dx + (r * d.w + q) * C + cb, a);
  }
}
// What one row of g adds to the gradient of the weights.
template <int L, int K, int S, int T, class E>
static inline void row_weight(const E* x, const E* g, float* dw, const Dim& d, int64_t o, int64_t cb) {
  LANES
  const int64_t top = o * S - d.pt, C = d.c;
  const int i0 = std::max<int64_t>(0, -top), i1 = std::min<int64_t>(K, d.h - top);
  for (int i = i0; i < i1; i++) {
    V a[K];
#pragma GCC unroll 8
    for (int j = 0; j < K; j++) a[j] = ld(dw + (i * K + j) * C + cb);
    const E* xrow = x + (top + i) * d.w * C + cb;
    const E* grow = g + o * d.ow * C + cb;
    int64_t q = 0;
    while (q < d.ow) {
      const int64_t left = q * S - d.pl;
      if (left >= 0 && left + (T - 1) * S + K <= d.w && q + T <= d.ow) {
        V gv[T];
#pragma GCC unroll 8
        for (int t = 0; t < T; t++) gv[t] = ld(grow + (q + t) * C);
#pragma GCC unroll 16
        for (int p = 0; p < (T - 1) * S + K; p++) {
          const V xv = ld(xrow + (left + p) * C);
#pragma GCC unroll 8
          for (int t = 0; t < T; t++) {
            const int j = p - t * S;
            if (j >= 0 && j < K) a[j] += xv * gv[t];
          }
        }
        q += T;
      } else {
        const V gv = ld(grow + q * C);
#pragma GCC unroll 8
        for (int j = 0; j < K; j++)
          if (left + j >= 0 && left + j < d.w) a[j] += ld(xrow + (left + j) * C) * gv;
        q++;
      }
    }
#pragma GCC unroll 8
    for (int j = 0; j < K; j++) st(dw + (i * K + j) * C + cb, a[j]);
  }
}
template <int L, int K, int S, class E>
static void forward_(const E* x, const float* wt, E* y, const Dim& d) {
#pragma omp parallel for schedule(static)
  for (int64_t n = 0; n < d.n; n++)
    for (int64_t o = 0; o < d.oh; o++)
      for (int64_t cb = 0; cb < d.c; cb += L)
        row_forward<L, K, S, 4>(x + n * d.h * d.w * d.c, wt, y + n * d.oh * d.ow * d.c, d, o, cb);
}
template <int L, int K, int S, class E>
static void backward_(const E* x, const E* g, const float* wt, E* dx, float* dw, const Dim& d) {
  const int64_t kk = K * K * d.c;
  std::vector<float> flipped(kk);
  for (int t = 0; t < K * K; t++) std::memcpy(&flipped[t * d.c], wt + (K * K - 1 - t) * d.c, d.c * sizeof(float));
  const Dim back{d.n, d.oh, d.ow, d.c, d.h, d.w, K - 1 - d.pt, K - 1 - d.pl};
  std::memset(dw, 0, kk * sizeof(float));
#pragma omp parallel
  {
    std::vector<float> own(kk, 0.f);
#pragma omp for schedule(static)
    for (int64_t n = 0; n < d.n; n++) {
      const E* gn = g + n * d.oh * d.ow * d.c;
      const E* xn = x + n * d.h * d.w * d.c;
      E* dxn = dx + n * d.h * d.w * d.c;
      for (int64_t r = 0; r < d.h; r++)
        for (int64_t cb = 0; cb < d.c; cb += L) {
          if (S == 1) row_forward<L, K, 1, 4>(gn, flipped.data(), dxn, back, r, cb);
          else row_data<L, K, S>(gn, wt, dxn, d, r, cb);
          if (r < d.oh) row_weight<L, K, S, (K == 3 ? 6 : 4)>(xn, gn, own.data(), d, r, cb);
        }
    }
#pragma omp critical
    for (int64_t t = 0; t < kk; t++) dw[t] += own[t];
  }
}
#define OF_KERNEL(L, call)                                                    \
  if (k == 3 && s == 1) call(L, 3, 1); else if (k == 3 && s == 2) call(L, 3, 2); \
  else if (k == 5 && s == 1) call(L, 5, 1); else if (k == 5 && s == 2) call(L, 5, 2); else return 1;
#define DISPATCH(call)                                       \
  const Dim d{v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]}; \
  if (d.c % WIDE == 0) { OF_KERNEL(WIDE, call) } else { OF_KERNEL(8, call) } \
  return 0;
#define F(L, K, S) forward_<L, K, S>(x, wt, y, d)
#define B(L, K, S) backward_<L, K, S>(x, g, wt, dx, dw, d)
#define ENTRIES(name, E)                                                                                            \
  extern "C" int dw_forward_##name(const E* x, const float* wt, E* y, const int64_t* v, int k, int s) { DISPATCH(F) } \
  extern "C" int dw_backward_##name(const E* x, const E* g, const float* wt, E* dx, float* dw, const int64_t* v, int k, \
                                    int s) { DISPATCH(B) }
ENTRIES(float32, float)
ENTRIES(bfloat16, uint16_t)
