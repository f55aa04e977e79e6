/* The mean of E^2 for E - e sin E = M by Newton's method, problem by problem; derivatives through the iteration.
 *
 * The iterates of one problem stay on the stack. Neighbouring problems are independent, but their numbers of iterations
 * differ, so nothing is vectorised. In E' = E - g / g' with g = E - e sin E - M, g' = 1 - e cos E the derivatives are
 * dE'/dE = g g''/g'^2 with g'' = e sin E, dE'/de = sin E / g' - g cos E / g'^2, dE'/dM = 1 / g'.
 */
#include <math.h>
#include <stdint.h>

enum { CAPACITY = 64 };

void newton_value(const double *restrict e, const double *restrict mean, int64_t n, double accuracy, int64_t most,
                  double *value)
{
    double total = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double guess = mean[i] + e[i] * sin(mean[i]), step = 1.0;
        for (int64_t k = 0; fabs(step) > accuracy && k < most; k++) {
            step = (guess - e[i] * sin(guess) - mean[i]) / (1.0 - e[i] * cos(guess));
            guess -= step;
        }
        total += guess * guess;
    }
    *value = total / (double)n;
}

void newton_gradient(const double *restrict e, const double *restrict mean, int64_t n, double accuracy, int64_t most,
                     double *restrict in_e, double *restrict in_mean)
{
    for (int64_t i = 0; i < n; i++) {
        double sines[CAPACITY], cosines[CAPACITY], steps[CAPACITY];
        const double s0 = sin(mean[i]);
        double guess = mean[i] + e[i] * s0, step = 1.0;
        int64_t k = 0;
        for (; fabs(step) > accuracy && k < most; k++) {
            sines[k] = sin(guess), cosines[k] = cos(guess);
            step = (guess - e[i] * sines[k] - mean[i]) / (1.0 - e[i] * cosines[k]);
            steps[k] = step;
            guess -= step;
        }
        double adjoint = 2.0 * guess / (double)n, de = 0.0, dm = 0.0;
        while (k--) {
            const double inverse = adjoint / (1.0 - e[i] * cosines[k]);
            de += (sines[k] - steps[k] * cosines[k]) * inverse;
            dm += inverse;
            adjoint = steps[k] * e[i] * sines[k] * inverse;
        }
        in_e[i] = de + adjoint * s0;
        in_mean[i] = dm + adjoint * (1.0 + e[i] * cos(mean[i]));
    }
}

void newton_forward(const double *restrict e, const double *restrict mean, const double *restrict de,
                    const double *restrict dm, int64_t n, double accuracy, int64_t most, double *value,
                    double *derivative)
{
    double total = 0.0, d_total = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double s0 = sin(mean[i]), c0 = cos(mean[i]);
        double guess = mean[i] + e[i] * s0, d_guess = dm[i] + de[i] * s0 + e[i] * c0 * dm[i], step = 1.0;
        for (int64_t k = 0; fabs(step) > accuracy && k < most; k++) {
            const double s = sin(guess), c = cos(guess), inverse = 1.0 / (1.0 - e[i] * c);
            step = (guess - e[i] * s - mean[i]) * inverse;
            d_guess = (step * e[i] * s * d_guess + (s - step * c) * de[i] + dm[i]) * inverse;
            guess -= step;
        }
        total += guess * guess;
        d_total += guess * d_guess;
    }
    *value = total / (double)n;
    *derivative = 2.0 * d_total / (double)n;
}
