/* Gradient of the sum, or of the last entry, of y(2) with y0' = x0, yi' = xi y(i-1), by classical Runge-Kutta steps.
 *
 * Forwards the state of every step is kept; backwards its slopes are computed again.
 */
#include <stdint.h>
#include <string.h>

static void rate(const double *restrict x, const double *restrict y, int64_t n, double *restrict k)
{
    k[0] = x[0];
    for (int64_t i = 1; i < n; i++)
        k[i] = x[i] * y[i - 1];
}

/* z = y + s k, and its slope */
static void stage(const double *restrict x, const double *restrict y, const double *restrict k, double s, int64_t n,
                  double *restrict z, double *restrict slope)
{
    for (int64_t i = 0; i < n; i++)
        z[i] = y[i] + s * k[i];
    rate(x, z, n, slope);
}

/* With c the adjoint of a slope at z: out += c dz, adjoint of z: a[i-1] = c[i] x[i]. */
static void back(const double *restrict x, const double *restrict z, const double *restrict c, int64_t n,
                 double *restrict out, double *restrict a)
{
    out[0] += c[0];
    for (int64_t i = 1; i < n; i++) {
        out[i] += c[i] * z[i - 1];
        a[i - 1] = c[i] * x[i];
    }
    a[n - 1] = 0.0;
}

void cascade_gradient(const double *restrict x, int64_t n, int64_t steps, double h, int64_t last,
                      double *restrict states, double *restrict scratch, double *restrict out)
{
    double *restrict k1 = scratch, *restrict k2 = k1 + n, *restrict k3 = k2 + n, *restrict k4 = k3 + n;
    double *restrict z2 = k4 + n, *restrict z3 = z2 + n, *restrict z4 = z3 + n;
    double *restrict a = z4 + n, *restrict c = a + n, *restrict lambda = c + n;
    memset(states, 0, (size_t)n * sizeof(double));
    for (int64_t t = 0; t < steps; t++) {
        const double *restrict y = states + t * n;
        double *restrict next = states + (t + 1) * n;
        rate(x, y, n, k1);
        stage(x, y, k1, 0.5 * h, n, z2, k2);
        stage(x, y, k2, 0.5 * h, n, z3, k3);
        stage(x, y, k3, h, n, z4, k4);
        for (int64_t i = 0; i < n; i++)
            next[i] = y[i] + h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
    }
    for (int64_t i = 0; i < n; i++)
        lambda[i] = last ? (double)(i == n - 1) : 1.0;
    memset(out, 0, (size_t)n * sizeof(double));
    for (int64_t t = steps - 1; t >= 0; t--) {
        const double *restrict y = states + t * n;
        rate(x, y, n, k1);
        stage(x, y, k1, 0.5 * h, n, z2, k2);
        stage(x, y, k2, 0.5 * h, n, z3, k3);
        for (int64_t i = 0; i < n; i++) {
            z4[i] = y[i] + h * k3[i];
            c[i] = h / 6.0 * lambda[i];
        }
        back(x, z4, c, n, out, a);
        for (int64_t i = 0; i < n; i++) {
            c[i] = h / 3.0 * lambda[i] + h * a[i];
            k4[i] = a[i];
        }
        back(x, z3, c, n, out, a);
        for (int64_t i = 0; i < n; i++) {
            c[i] = h / 3.0 * lambda[i] + 0.5 * h * a[i];
            k4[i] += a[i];
        }
        back(x, z2, c, n, out, a);
        for (int64_t i = 0; i < n; i++) {
            c[i] = h / 6.0 * lambda[i] + 0.5 * h * a[i];
            k4[i] += a[i];
        }
        back(x, y, c, n, out, a);
        for (int64_t i = 0; i < n; i++)
            lambda[i] += k4[i] + a[i];
    }
}
