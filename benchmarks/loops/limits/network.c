/* Gradient of the mean of |x|^2 along x <- tanh(W x + b u) in W and b. The state is kept once per block of steps; a
 * block is computed again on the way back.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { N = 8 };

static inline void advance(const double *restrict transposed, const double *restrict b, double u,
                           const double *restrict x, double *restrict next)
{
    double sum[N];
    for (int i = 0; i < N; i++)
        sum[i] = b[i] * u;
    for (int j = 0; j < N; j++)
        for (int i = 0; i < N; i++)
            sum[i] += transposed[j * N + i] * x[j];
    for (int i = 0; i < N; i++)
        next[i] = tanh(sum[i]);
}

void network_gradient(const double *restrict w, const double *restrict b, const double *restrict start,
                      const double *restrict u, int64_t steps, int64_t block, double *restrict kept,
                      double *restrict states, double *restrict in_w, double *restrict in_b)
{
    double transposed[N * N], x[N], next[N], adjoint[N] = {0}, dw[N * N] = {0}, db[N] = {0};
    const double scale = 2.0 / (double)steps;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            transposed[j * N + i] = w[i * N + j];
    memcpy(x, start, sizeof x);
    for (int64_t t = 0; t < steps; t++) {
        if (t % block == 0)
            memcpy(kept + t / block * N, x, sizeof x);
        advance(transposed, b, u[t], x, next);
        memcpy(x, next, sizeof x);
    }
    for (int64_t first = steps - block; first >= 0; first -= block) {
        memcpy(states, kept + first / block * N, sizeof x);
        for (int64_t t = 0; t < block; t++)
            advance(transposed, b, u[first + t], states + t * N, states + (t + 1) * N);
        for (int64_t t = block - 1; t >= 0; t--) {
            const double *restrict before = states + t * N, *restrict after = before + N;
            double inner[N], back[N] = {0};
            for (int i = 0; i < N; i++) {
                inner[i] = (adjoint[i] + scale * after[i]) * (1.0 - after[i] * after[i]);
                db[i] += inner[i] * u[first + t];
            }
            for (int i = 0; i < N; i++)
                for (int j = 0; j < N; j++) {
                    dw[i * N + j] += inner[i] * before[j];
                    back[j] += inner[i] * w[i * N + j];
                }
            memcpy(adjoint, back, sizeof back);
        }
    }
    memcpy(in_w, dw, sizeof dw);
    memcpy(in_b, db, sizeof db);
}
