// Plain JavaScript, as one would write it with care: no library, no WebAssembly, one thread.
export const name = 'plain JavaScript';

/** Writes (N, Cin, L) into the middle of rows of L + 2 p. */
function copyRows({ N, Cin, L, p }, input, rows) {
  for (let row = 0; row < N * Cin; row++) {
    rows.set(input.subarray(row * L, (row + 1) * L), row * (L + 2 * p) + p);
  }
}

/** One row of outputs. `first` is where its group's padded input starts in `x`, `firstWeight` where its weights do. */
function convolveRow({ Cin, k, s, p, d, g, L, Lout }, x, first, weight, firstWeight, start, output) {
  const stride = L + 2 * p;
  const groupIn = Cin / g;
  let t = 0;
  // Four outputs at a time share each weight, and their sums stay in registers: twice as fast as one at a time.
  for (; t + 4 <= Lout; t += 4) {
    let [sum0, sum1, sum2, sum3] = [start, start, start, start];
    let w = firstWeight;
    for (let ic = 0; ic < groupIn; ic++) {
      let at = first + ic * stride + t * s;
      for (let tap = 0; tap < k; tap++, at += d) {
        const value = weight[w++];
        sum0 += value * x[at];
        sum1 += value * x[at + s];
        sum2 += value * x[at + 2 * s];
        sum3 += value * x[at + 3 * s];
      }
    }
    output[t] = sum0;
    output[t + 1] = sum1;
    output[t + 2] = sum2;
    output[t + 3] = sum3;
  }
  for (; t < Lout; t++) {
    let sum = start;
    let w = firstWeight;
    for (let ic = 0; ic < groupIn; ic++) {
      let at = first + ic * stride + t * s;
      for (let tap = 0; tap < k; tap++, at += d) sum += weight[w++] * x[at];
    }
    output[t] = sum;
  }
}

function convolve(layer, rows, { weight, bias }, output) {
  const { N, Cin, Cout, k, p, g, L, Lout } = layer;
  const groupIn = Cin / g;
  for (let n = 0; n < N; n++) {
    for (let oc = 0; oc < Cout; oc++) {
      const firstIn = n * Cin + Math.floor(oc / (Cout / g)) * groupIn;
      const at = (n * Cout + oc) * Lout;
      const out = output.subarray(at, at + Lout);
      convolveRow(layer, rows, firstIn * (L + 2 * p), weight, oc * groupIn * k, bias[oc], out);
    }
  }
}

const contender = {
  name,
  placement: 'js',
  prepare(layer, data) {
    const { N, Cin, Cout, L, p, Lout } = layer;
    const rows = new Float32Array(N * Cin * (L + 2 * p));
    const output = new Float32Array(N * Cout * Lout);
    return {
      run() {
        copyRows(layer, data.input, rows);
        convolve(layer, rows, data, output);
      },
      output: () => output,
      dispose() {},
    };
  },
};

export const load = () => [contender];
