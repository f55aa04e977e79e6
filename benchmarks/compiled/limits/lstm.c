/* Gradient of an LSTM whose weights act elementwise, by back-propagation through time.
 *
 * Kept for each step and layer: input x, old hidden state h, old cell c, the gates f, g, o, the change d, tanh of the
 * new cell. The gates' derivatives are s (1 - s) and 1 - d^2 of what is kept.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { X, H, C, F, G, O, D, T, KEPT };

static double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

static void forwards(int64_t layers, int64_t steps, int64_t b, const double *restrict weights,
                     const double *restrict biases, const double *restrict extra, const double *restrict sequence,
                     double *restrict hidden, double *restrict cell, double *restrict kept, double *restrict softmax)
{
    for (int64_t t = 0; t < steps; t++) {
        double *restrict row = kept + t * layers * KEPT * b;
        for (int64_t j = 0; j < b; j++)
            row[X * b + j] = sequence[t * b + j] * extra[j];
        for (int64_t l = 0; l < layers; l++, row += KEPT * b) {
            const double *restrict w = weights + 4 * l * b, *restrict s = biases + 4 * l * b;
            double *next = l + 1 < layers ? row + KEPT * b : hidden + l * b;
            for (int64_t j = 0; j < b; j++) {
                const double x = row[X * b + j], h = hidden[l * b + j], c = cell[l * b + j];
                const double f = sigmoid(x * w[j] + s[j]), g = sigmoid(h * w[b + j] + s[b + j]);
                const double o = sigmoid(x * w[2 * b + j] + s[2 * b + j]), d = tanh(h * w[3 * b + j] + s[3 * b + j]);
                const double moved = c * f + g * d, bent = tanh(moved);
                row[H * b + j] = h, row[C * b + j] = c;
                row[F * b + j] = f, row[G * b + j] = g, row[O * b + j] = o, row[D * b + j] = d, row[T * b + j] = bent;
                cell[l * b + j] = moved;
                hidden[l * b + j] = o * bent;
                next[j] = o * bent; /* the input of the next layer comes first in its row */
            }
        }
        double sum = 2.0;
        const double *restrict top = hidden + (layers - 1) * b;
        for (int64_t j = 0; j < b; j++) {
            softmax[t * b + j] = exp(top[j] * extra[b + j] + extra[2 * b + j]);
            sum += softmax[t * b + j];
        }
        for (int64_t j = 0; j < b; j++)
            softmax[t * b + j] /= sum;
    }
}

void lstm_gradient(int64_t layers, int64_t steps, int64_t b, const double *restrict weights,
                   const double *restrict biases, const double *restrict extra, const double *restrict state,
                   const double *restrict sequence, double *restrict kept, double *restrict softmax,
                   double *restrict scratch, double *restrict d_weights, double *restrict d_biases,
                   double *restrict d_extra)
{
    double *restrict hidden = scratch, *restrict cell = scratch + layers * b;
    memcpy(scratch, state, (size_t)(2 * layers * b) * sizeof(double));
    forwards(layers, steps, b, weights, biases, extra, sequence, hidden, cell, kept, softmax);
    /* from here on the two hold adjoints */
    memset(scratch, 0, (size_t)(2 * layers * b) * sizeof(double));
    memset(d_weights, 0, (size_t)(4 * layers * b) * sizeof(double));
    memset(d_biases, 0, (size_t)(4 * layers * b) * sizeof(double));
    memset(d_extra, 0, (size_t)(3 * b) * sizeof(double));
    const double scale = -1.0 / (double)(b * steps);
    for (int64_t t = steps - 1; t >= 0; t--) {
        const double *restrict row = kept + (t + 1) * layers * KEPT * b - KEPT * b;
        double count = 0.0;
        for (int64_t j = 0; j < b; j++)
            count += sequence[(t + 1) * b + j];
        double *restrict top = hidden + (layers - 1) * b;
        for (int64_t j = 0; j < b; j++) {
            const double in_y = scale * (sequence[(t + 1) * b + j] - count * softmax[t * b + j]);
            d_extra[b + j] += in_y * row[O * b + j] * row[T * b + j];
            d_extra[2 * b + j] += in_y;
            top[j] += in_y * extra[b + j];
        }
        for (int64_t l = layers - 1; l >= 0; l--, row -= KEPT * b) {
            const double *restrict w = weights + 4 * l * b;
            double *restrict dw = d_weights + 4 * l * b, *restrict ds = d_biases + 4 * l * b;
            for (int64_t j = 0; j < b; j++) {
                const double x = row[X * b + j], h = row[H * b + j];
                const double f = row[F * b + j], g = row[G * b + j], o = row[O * b + j], d = row[D * b + j];
                const double bent = row[T * b + j], in_h = hidden[l * b + j];
                const double in_c = cell[l * b + j] + in_h * o * (1.0 - bent * bent);
                const double in_o = in_h * bent * o * (1.0 - o), in_f = in_c * row[C * b + j] * f * (1.0 - f);
                const double in_g = in_c * d * g * (1.0 - g), in_d = in_c * g * (1.0 - d * d);
                dw[j] += in_f * x, dw[b + j] += in_g * h, dw[2 * b + j] += in_o * x, dw[3 * b + j] += in_d * h;
                ds[j] += in_f, ds[b + j] += in_g, ds[2 * b + j] += in_o, ds[3 * b + j] += in_d;
                cell[l * b + j] = in_c * f;
                hidden[l * b + j] = in_g * w[b + j] + in_d * w[3 * b + j];
                const double in_x = in_f * w[j] + in_o * w[2 * b + j];
                if (l > 0)
                    hidden[(l - 1) * b + j] += in_x;
                else
                    d_extra[j] += in_x * sequence[t * b + j];
            }
        }
    }
}
