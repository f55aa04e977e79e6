/* Value, gradient and derivative along a direction of an LSTM; the gradient is that of the other benchmark. */
#include "../../compiled/limits/lstm.c"

void lstm_value(int64_t layers, int64_t steps, int64_t b, const double *restrict weights,
                const double *restrict biases, const double *restrict extra, const double *restrict state,
                const double *restrict sequence, double *restrict scratch, double *restrict value)
{
    double *restrict hidden = scratch, *restrict cell = hidden + layers * b, *restrict x = cell + layers * b;
    memcpy(scratch, state, (size_t)(2 * layers * b) * sizeof(double));
    double total = 0.0;
    for (int64_t t = 0; t < steps; t++) {
        for (int64_t j = 0; j < b; j++)
            x[j] = sequence[t * b + j] * extra[j];
        for (int64_t l = 0; l < layers; l++) {
            const double *restrict w = weights + 4 * l * b, *restrict s = biases + 4 * l * b;
            for (int64_t j = 0; j < b; j++) {
                const double h = hidden[l * b + j];
                const double f = sigmoid(x[j] * w[j] + s[j]), g = sigmoid(h * w[b + j] + s[b + j]);
                const double o = sigmoid(x[j] * w[2 * b + j] + s[2 * b + j]);
                const double d = tanh(h * w[3 * b + j] + s[3 * b + j]);
                cell[l * b + j] = cell[l * b + j] * f + g * d;
                x[j] = hidden[l * b + j] = o * tanh(cell[l * b + j]);
            }
        }
        double sum = 2.0, hit = 0.0, count = 0.0;
        for (int64_t j = 0; j < b; j++) {
            const double y = x[j] * extra[b + j] + extra[2 * b + j], after = sequence[(t + 1) * b + j];
            sum += exp(y);
            hit += after * y;
            count += after;
        }
        total += hit - count * log(sum);
    }
    *value = -total / (double)(b * steps);
}

/* dw, ds, de: the direction in weights, biases and extra */
void lstm_forward(int64_t layers, int64_t steps, int64_t b, const double *restrict weights,
                  const double *restrict biases, const double *restrict extra, const double *restrict dw,
                  const double *restrict ds, const double *restrict de, const double *restrict state,
                  const double *restrict sequence, double *restrict scratch, double *restrict value,
                  double *restrict derivative)
{
    const int64_t n = layers * b;
    double *restrict hidden = scratch, *restrict cell = hidden + n, *restrict d_hidden = cell + n;
    double *restrict d_cell = d_hidden + n, *restrict x = d_cell + n, *restrict dx = x + n;
    memcpy(scratch, state, (size_t)(2 * n) * sizeof(double));
    memset(d_hidden, 0, (size_t)(2 * n) * sizeof(double));
    double total = 0.0, d_total = 0.0;
    for (int64_t t = 0; t < steps; t++) {
        for (int64_t j = 0; j < b; j++) {
            x[j] = sequence[t * b + j] * extra[j];
            dx[j] = sequence[t * b + j] * de[j];
        }
        for (int64_t l = 0; l < layers; l++) {
            const double *restrict w = weights + 4 * l * b, *restrict s = biases + 4 * l * b;
            const double *restrict p = dw + 4 * l * b, *restrict q = ds + 4 * l * b;
            for (int64_t j = 0; j < b; j++) {
                const int64_t i = l * b + j;
                const double h = hidden[i], dh = d_hidden[i], a = x[j], da = dx[j];
                const double f = sigmoid(a * w[j] + s[j]), g = sigmoid(h * w[b + j] + s[b + j]);
                const double o = sigmoid(a * w[2 * b + j] + s[2 * b + j]), d = tanh(h * w[3 * b + j] + s[3 * b + j]);
                const double df = f * (1.0 - f) * (da * w[j] + a * p[j] + q[j]);
                const double dg = g * (1.0 - g) * (dh * w[b + j] + h * p[b + j] + q[b + j]);
                const double d_o = o * (1.0 - o) * (da * w[2 * b + j] + a * p[2 * b + j] + q[2 * b + j]);
                const double dd = (1.0 - d * d) * (dh * w[3 * b + j] + h * p[3 * b + j] + q[3 * b + j]);
                d_cell[i] = d_cell[i] * f + cell[i] * df + dg * d + g * dd;
                cell[i] = cell[i] * f + g * d;
                const double bent = tanh(cell[i]);
                x[j] = hidden[i] = o * bent;
                dx[j] = d_hidden[i] = d_o * bent + o * (1.0 - bent * bent) * d_cell[i];
            }
        }
        double sum = 2.0, d_sum = 0.0, hit = 0.0, d_hit = 0.0, count = 0.0;
        for (int64_t j = 0; j < b; j++) {
            const double y = x[j] * extra[b + j] + extra[2 * b + j], after = sequence[(t + 1) * b + j];
            const double dy = dx[j] * extra[b + j] + x[j] * de[b + j] + de[2 * b + j], e = exp(y);
            sum += e, d_sum += e * dy;
            hit += after * y, d_hit += after * dy, count += after;
        }
        total += hit - count * log(sum);
        d_total += d_hit - count * d_sum / sum;
    }
    *value = -total / (double)(b * steps);
    *derivative = -d_total / (double)(b * steps);
}
