/* Gradient of log-sum-exp: the softmax. */
#include <math.h>
#include <stdint.h>

void lse_gradient(const double *restrict x, int64_t n, double *restrict out)
{
    double top = x[0];
#pragma omp parallel for reduction(max : top)
    for (int64_t i = 1; i < n; i++)
        top = x[i] > top ? x[i] : top;
    double sum = 0.0;
#pragma omp parallel for reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) {
        out[i] = exp(x[i] - top);
        sum += out[i];
    }
    const double scale = 1.0 / sum;
#pragma omp parallel for
    for (int64_t i = 0; i < n; i++)
        out[i] *= scale;
}
