/* Gradient of the sum of squares after explicit steps of the heat equation.
 *
 * Forwards every field is kept. Backwards, with a the adjoint of the new field and g = step * c * a inside the boundary:
 * the adjoint of the old field is a + (the same five-point formula applied to g), that of c gains step * a * curvature.
 */
#include <stdint.h>
#include <string.h>

void heat_gradient(const double *restrict field, const double *restrict c, int64_t rows, int64_t cols, int64_t steps,
                   double step, double *restrict history, double *restrict g, double *restrict by_field,
                   double *restrict by_c)
{
    const int64_t size = rows * cols;
    memcpy(history, field, (size_t)size * sizeof(double));
    for (int64_t t = 0; t < steps; t++) {
        const double *restrict u = history + t * size;
        double *restrict v = history + (t + 1) * size;
        memcpy(v, u, (size_t)cols * sizeof(double));
        memcpy(v + size - cols, u + size - cols, (size_t)cols * sizeof(double));
#pragma omp parallel for
        for (int64_t i = 1; i < rows - 1; i++) {
            const int64_t row = i * cols;
            v[row] = u[row];
            for (int64_t k = row + 1; k < row + cols - 1; k++) {
                const double curvature = u[k - cols] + u[k + cols] + u[k - 1] + u[k + 1] - 4.0 * u[k];
                v[k] = u[k] + step * c[k] * curvature;
            }
            v[row + cols - 1] = u[row + cols - 1];
        }
    }
    const double *restrict last = history + steps * size;
#pragma omp parallel for
    for (int64_t k = 0; k < size; k++)
        by_field[k] = 2.0 * last[k];
    memset(by_c, 0, (size_t)size * sizeof(double));
    memset(g, 0, (size_t)size * sizeof(double));
    for (int64_t t = steps - 1; t >= 0; t--) {
        const double *restrict u = history + t * size;
#pragma omp parallel for
        for (int64_t i = 1; i < rows - 1; i++) {
            const int64_t row = i * cols;
            for (int64_t k = row + 1; k < row + cols - 1; k++) {
                const double curvature = u[k - cols] + u[k + cols] + u[k - 1] + u[k + 1] - 4.0 * u[k];
                const double scaled = step * by_field[k];
                by_c[k] += scaled * curvature;
                g[k] = scaled * c[k];
            }
        }
        /* g is zero on the boundary; boundary points receive from their inner neighbours only */
#pragma omp parallel for
        for (int64_t i = 1; i < rows - 1; i++) {
            const int64_t row = i * cols;
            by_field[row] += g[row + 1];
            for (int64_t k = row + 1; k < row + cols - 1; k++)
                by_field[k] += g[k - cols] + g[k + cols] + g[k - 1] + g[k + 1] - 4.0 * g[k];
            by_field[row + cols - 1] += g[row + cols - 2];
        }
        for (int64_t j = 1; j < cols - 1; j++) {
            by_field[j] += g[cols + j];
            by_field[size - cols + j] += g[size - 2 * cols + j];
        }
    }
}
