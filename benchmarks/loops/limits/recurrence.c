/* The mean of x^2 along x <- r x (1 - x) + u, its gradient in r and the start, and its derivative along a direction. */
#include <stdint.h>

void recurrence_value(const double *r, const double *start, const double *restrict u, int64_t steps, double *value)
{
    const double rate = *r;
    double x = *start, total = 0.0;
    for (int64_t t = 0; t < steps; t++) {
        x = rate * x * (1.0 - x) + u[t];
        total += x * x;
    }
    *value = total / (double)steps;
}

void recurrence_gradient(const double *r, const double *start, const double *restrict u, int64_t steps,
                         double *restrict kept, double *in_r, double *in_start)
{
    const double rate = *r, scale = 2.0 / (double)steps;
    double x = *start;
    for (int64_t t = 0; t < steps; t++) {
        kept[t] = x; /* before the step */
        x = rate * x * (1.0 - x) + u[t];
    }
    double adjoint = 0.0, sum = 0.0;
    for (int64_t t = steps - 1; t >= 0; t--) {
        const double before = kept[t];
        adjoint += scale * x;
        sum += adjoint * before * (1.0 - before);
        adjoint *= rate * (1.0 - 2.0 * before);
        x = before;
    }
    *in_r = sum;
    *in_start = adjoint;
}

void recurrence_forward(const double *r, const double *start, const double *dr, const double *d_start,
                        const double *restrict u, int64_t steps, double *value, double *derivative)
{
    const double rate = *r, d_rate = *dr;
    double x = *start, dx = *d_start, total = 0.0, d_total = 0.0;
    for (int64_t t = 0; t < steps; t++) {
        dx = d_rate * x * (1.0 - x) + rate * (1.0 - 2.0 * x) * dx;
        x = rate * x * (1.0 - x) + u[t];
        total += x * x;
        d_total += x * dx;
    }
    *value = total / (double)steps;
    *derivative = 2.0 * d_total / (double)steps;
}
