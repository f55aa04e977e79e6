/* Jacobian of bundle adjustment, the values of a CSR matrix: for each observation two rows of 15 (camera 11, point 3,
 * weight), then -2 w for each weight.
 *
 * With angle t = |r|, axis a = r / t, v = X - C, Rodrigues' formula y = v cos t + (a x v) sin t + a (a.v) (1 - cos t):
 *   dt/dr_j = a_j,   da/dr_j = (e_j - a a_j) / t,   dy/dX = the rotation,   dy/dC = minus the rotation.
 */
#include <math.h>
#include <stdint.h>

static void cross(const double *a, const double *b, double *out)
{
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

static double dot(const double *a, const double *b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

static void observation(const double *restrict cam, const double *restrict point, double weight,
                        const double *restrict feature, double *restrict out)
{
    double a[3], v[3], across[3], y[3], turn[3][3], by_r[3][3];
    const double t = sqrt(dot(cam, cam)), c = cos(t), s = sin(t), rest = 1.0 - c;
    for (int j = 0; j < 3; j++) {
        a[j] = cam[j] / t;
        v[j] = point[j] - cam[3 + j];
    }
    cross(a, v, across);
    const double along = dot(a, v);
    for (int i = 0; i < 3; i++) {
        y[i] = v[i] * c + across[i] * s + a[i] * along * rest;
        for (int j = 0; j < 3; j++)
            turn[i][j] = a[i] * a[j] * rest + (i == j ? c : 0.0);
    }
    turn[0][1] -= a[2] * s, turn[0][2] += a[1] * s;
    turn[1][0] += a[2] * s, turn[1][2] -= a[0] * s;
    turn[2][0] -= a[1] * s, turn[2][1] += a[0] * s;
    for (int j = 0; j < 3; j++) {
        double da[3], moved[3];
        for (int i = 0; i < 3; i++)
            da[i] = ((i == j ? 1.0 : 0.0) - a[i] * a[j]) / t;
        cross(da, v, moved);
        const double change = dot(da, v);
        for (int i = 0; i < 3; i++)
            by_r[i][j] = a[j] * (across[i] * c - v[i] * s + a[i] * along * s) + moved[i] * s
                         + (da[i] * along + a[i] * change) * rest;
    }
    const double inverse = 1.0 / y[2], p[2] = {y[0] * inverse, y[1] * inverse};
    const double rho = p[0] * p[0] + p[1] * p[1];
    const double scale = 1.0 + cam[9] * rho + cam[10] * rho * rho, slope = cam[9] + 2.0 * cam[10] * rho;
    const double f = cam[6], outer = weight * f;
    for (int k = 0; k < 2; k++) {
        double *restrict row = out + 15 * k;
        /* derivative of the distorted p_k in y */
        const double in_p0 = outer * ((k == 0 ? scale : 0.0) + p[k] * slope * 2.0 * p[0]);
        const double in_p1 = outer * ((k == 1 ? scale : 0.0) + p[k] * slope * 2.0 * p[1]);
        const double in_y[3] = {in_p0 * inverse, in_p1 * inverse, -(in_p0 * p[0] + in_p1 * p[1]) * inverse};
        for (int j = 0; j < 3; j++) {
            row[j] = in_y[0] * by_r[0][j] + in_y[1] * by_r[1][j] + in_y[2] * by_r[2][j];
            row[11 + j] = in_y[0] * turn[0][j] + in_y[1] * turn[1][j] + in_y[2] * turn[2][j];
            row[3 + j] = -row[11 + j];
        }
        row[6] = weight * p[k] * scale;
        row[7] = k == 0 ? weight : 0.0;
        row[8] = k == 1 ? weight : 0.0;
        row[9] = outer * p[k] * rho;
        row[10] = outer * p[k] * rho * rho;
        row[14] = p[k] * scale * f + cam[7 + k] - feature[k];
    }
}

void bundle_jacobian(int64_t n, const double *restrict cameras, const double *restrict points,
                     const double *restrict weights, const double *restrict features,
                     const int64_t *restrict seen_by, const int64_t *restrict seen, double *restrict out)
{
#pragma omp parallel for
    for (int64_t i = 0; i < n; i++) {
        observation(cameras + 11 * seen_by[i], points + 3 * seen[i], weights[i], features + 2 * i, out + 30 * i);
        out[30 * n + i] = -2.0 * weights[i];
    }
}
