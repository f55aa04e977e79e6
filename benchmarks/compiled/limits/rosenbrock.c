/* The Rosenbrock function: value and gradient; Hessian times vector. */
#include <stdint.h>

void rosenbrock_gradient(const double *restrict x, int64_t n, double *restrict value, double *restrict out)
{
    double sum = 0.0;
    {
        const double gap = x[1] - x[0] * x[0], off = 1.0 - x[0];
        out[0] = -400.0 * x[0] * gap - 2.0 * off;
        sum = 100.0 * gap * gap + off * off;
    }
#pragma omp parallel for reduction(+ : sum)
    for (int64_t i = 1; i < n - 1; i++) {
        const double before = x[i] - x[i - 1] * x[i - 1];
        const double gap = x[i + 1] - x[i] * x[i], off = 1.0 - x[i];
        out[i] = 200.0 * before - 400.0 * x[i] * gap - 2.0 * off;
        sum += 100.0 * gap * gap + off * off;
    }
    out[n - 1] = 200.0 * (x[n - 1] - x[n - 2] * x[n - 2]);
    *value = sum;
}

void rosenbrock_product(const double *restrict x, const double *restrict v, int64_t n, double *restrict out)
{
    out[0] = (1200.0 * x[0] * x[0] - 400.0 * x[1] + 2.0) * v[0] - 400.0 * x[0] * v[1];
#pragma omp parallel for
    for (int64_t i = 1; i < n - 1; i++)
        out[i] = (1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 202.0) * v[i] - 400.0 * x[i] * v[i + 1]
                 - 400.0 * x[i - 1] * v[i - 1];
    out[n - 1] = 200.0 * v[n - 1] - 400.0 * x[n - 2] * v[n - 2];
}
