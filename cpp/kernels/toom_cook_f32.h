// The transforms of Toom-Cook's fast multiplication, transposed for convolution (Winograd's minimal filtering),
// float32.
//
// F(4, r) makes four neighbouring outputs of r taps with r + 3 products, where the definition takes 4 r. Outputs are
// the coefficients of a product of polynomials; it is evaluated at points, multiplied there and interpolated. With
// finite points a_p, f(x) the product of all (x - a_p), f_p(x) the same without p:
//
//     V_p = sum over k: f_p[k] x[k]          U_p = sum over k: a_p^k w[k] / f_p(a_p)          y[i] = sum over p: a_p^i
//     U_p V_p
//
// and at infinity V = sum over k: f[k] x[k], U = w[r - 1], which adds to y[3] alone. All points but 0 and infinity come
// in pairs +a, -a, whose polynomials share their even and odd parts. They were chosen for the least error with random
// data; their powers and all coefficients are exact in float32.
//
// Source: S. Winograd, "Arithmetic Complexity of Computations", SIAM 1980, chapter 4; the choice of points after
// B. Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks", ACM
// TOMS 46, 2020.
#pragma once

#include <cstddef>
#include <cstdint>

namespace conv1d {

inline constexpr int32_t kToomOutputs = 4;

// Rows of every fourth sample: the samples of tile l are x[0][l] to x[3][l], then those of the next tile, which are
// `next` floats on.
struct ToomInput {
  const float* rows;
  size_t row_stride;  // floats from x[0] to x[1]
  int32_t next;
  int32_t count;  // tiles; rounded up to 4, so rows are read up to next + 3 floats further
  float* points;  // V_p[l] goes to points[p * point_stride + l], also rounded up to 4
  size_t point_stride;
  float* magnitudes;  // |x[a][l]| is added to magnitudes[a * row_stride + l], also rounded up to 4
};

// Sums of products at all points, and outputs added to what y already holds: y[i][l] += sum over p: a_p^i M_p[l].
struct ToomOutput {
  const float* points;  // M_p[l] is points[p * point_stride + l]
  size_t point_stride;
  int32_t count;  // tiles, rounded up to 4
  float* rows;    // y[i][l] is rows[i * row_stride + l]
  size_t row_stride;
};

struct ToomForm {
  const char* name;
  int32_t taps;    // r
  int32_t points;  // r + 3
  void (*transform_input)(const ToomInput&);
  void (*transform_output)(const ToomOutput&);
  // U_p of `taps` weights, in float64.
  void (*transform_weights)(const double* weights, double* points);
};

// F(4, taps), taps from 2 to 5.
const ToomForm& toom_form(int32_t taps);

}  // namespace conv1d
