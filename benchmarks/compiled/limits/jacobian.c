/* Jacobians of tanh(W x) and of Broyden's tridiagonal system. */
#include <math.h>
#include <stdint.h>
#include <string.h>

void dense_jacobian(const double *restrict x, const double *restrict w, int64_t n, double *restrict out)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < n; j++)
            sum += w[i * n + j] * x[j];
        const double y = tanh(sum), slope = 1.0 - y * y;
        for (int64_t j = 0; j < n; j++)
            out[i * n + j] = slope * w[i * n + j];
    }
}

void tridiagonal_jacobian(const double *restrict x, int64_t n, double *restrict out)
{
    memset(out, 0, (size_t)(n * n) * sizeof(double));
    for (int64_t i = 0; i < n; i++) {
        out[i * n + i] = 3.0 - 4.0 * x[i];
        if (i > 0)
            out[i * n + i - 1] = -1.0;
        if (i < n - 1)
            out[i * n + i + 1] = -2.0;
    }
}
