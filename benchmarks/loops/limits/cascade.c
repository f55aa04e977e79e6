/* Value, gradient and derivative along a direction of the sum of y(2); the gradient is that of the other benchmark. */
#include "../../compiled/limits/ode.c"

static void weigh(const double *restrict k, double w, int64_t n, double *restrict sum)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += w * k[i];
}

void cascade_value(const double *restrict x, int64_t n, int64_t steps, double h, double *restrict scratch,
                   double *restrict value)
{
    double *restrict y = scratch, *restrict z = y + n, *restrict k1 = z + n, *restrict k2 = k1 + n;
    double *restrict k3 = k2 + n, *restrict k4 = k3 + n;
    memset(y, 0, (size_t)n * sizeof(double));
    for (int64_t t = 0; t < steps; t++) {
        rate(x, y, n, k1);
        stage(x, y, k1, 0.5 * h, n, z, k2);
        stage(x, y, k2, 0.5 * h, n, z, k3);
        stage(x, y, k3, h, n, z, k4);
        for (int64_t i = 0; i < n; i++)
            y[i] += h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
    }
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += y[i];
    *value = sum;
}

/* slope and its tangent at z = y + s k, tangent dy + s dk */
static void moving(const double *restrict x, const double *restrict dx, const double *restrict y,
                   const double *restrict dy, const double *restrict k, const double *restrict dk, double s, int64_t n,
                   double *restrict z, double *restrict dz, double *restrict slope, double *restrict d_slope)
{
    for (int64_t i = 0; i < n; i++) {
        z[i] = y[i] + s * k[i];
        dz[i] = dy[i] + s * dk[i];
    }
    slope[0] = x[0];
    d_slope[0] = dx[0];
    for (int64_t i = 1; i < n; i++) {
        slope[i] = x[i] * z[i - 1];
        d_slope[i] = dx[i] * z[i - 1] + x[i] * dz[i - 1];
    }
}

void cascade_forward(const double *restrict x, const double *restrict dx, int64_t n, int64_t steps, double h,
                     double *restrict scratch, double *restrict value, double *restrict derivative)
{
    double *restrict y = scratch, *restrict dy = y + n, *restrict z = dy + n, *restrict dz = z + n;
    double *restrict k = dz + n, *restrict dk = k + n, *restrict l = dk + n, *restrict dl = l + n;
    double *restrict sum = dl + n, *restrict d_sum = sum + n;
    memset(y, 0, (size_t)(2 * n) * sizeof(double));
    for (int64_t t = 0; t < steps; t++) {
        memset(sum, 0, (size_t)(2 * n) * sizeof(double));
        moving(x, dx, y, dy, y, dy, 0.0, n, z, dz, k, dk);
        weigh(k, 1.0, n, sum), weigh(dk, 1.0, n, d_sum);
        moving(x, dx, y, dy, k, dk, 0.5 * h, n, z, dz, l, dl);
        weigh(l, 2.0, n, sum), weigh(dl, 2.0, n, d_sum);
        moving(x, dx, y, dy, l, dl, 0.5 * h, n, z, dz, k, dk);
        weigh(k, 2.0, n, sum), weigh(dk, 2.0, n, d_sum);
        moving(x, dx, y, dy, k, dk, h, n, z, dz, l, dl);
        for (int64_t i = 0; i < n; i++) {
            y[i] += h / 6.0 * (sum[i] + l[i]);
            dy[i] += h / 6.0 * (d_sum[i] + dl[i]);
        }
    }
    double total = 0.0, d_total = 0.0;
    for (int64_t i = 0; i < n; i++) {
        total += y[i];
        d_total += dy[i];
    }
    *value = total;
    *derivative = d_total;
}
