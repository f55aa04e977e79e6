/* Gradient of the log-likelihood of a Gaussian mixture with a Wishart prior (m = 0, gamma = 1).
 *
 * With w = Q (x - mu), b = score, p = softmax(b) over the components, the sum over the points of
 *   d/d alpha = p,   d/d mu = p Q' w,   d/d q_j = p (1 - w_j e^{q_j} c_j),   d/d l_ij = -p w_i c_j,   c = x - mu.
 * The strict lower triangle is stored column by column, so the inner loops over rows are contiguous.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#else
#define omp_get_thread_num() 0
#endif

static double softmax(const double *restrict b, int64_t k, double *restrict p)
{
    double top = b[0], sum = 0.0;
    for (int64_t c = 1; c < k; c++)
        top = b[c] > top ? b[c] : top;
    for (int64_t c = 0; c < k; c++) {
        p[c] = exp(b[c] - top);
        sum += p[c];
    }
    for (int64_t c = 0; c < k; c++)
        p[c] /= sum;
    return top + log(sum);
}

void gmm_gradient(int64_t n, int64_t d, int64_t k, const double *restrict alpha, const double *restrict mu,
                  const double *restrict q, const double *restrict l, const double *restrict x,
                  double *restrict d_alpha, double *restrict d_mu, double *restrict d_q, double *restrict d_l,
                  double *restrict scratch)
{
    const int64_t t = d * (d - 1) / 2;
    double *restrict base = scratch, *restrict diagonal = base + k, *restrict own = diagonal + k * d;
    for (int64_t c = 0; c < k; c++) {
        base[c] = alpha[c];
        for (int64_t j = 0; j < d; j++) {
            base[c] += q[c * d + j];
            diagonal[c * d + j] = exp(q[c * d + j]);
        }
    }
    memset(d_alpha, 0, (size_t)k * sizeof(double));
    memset(d_mu, 0, (size_t)(k * d) * sizeof(double));
    memset(d_q, 0, (size_t)(k * d) * sizeof(double));
    memset(d_l, 0, (size_t)(k * t) * sizeof(double));
#pragma omp parallel for reduction(+ : d_alpha[:k], d_mu[:k * d], d_q[:k * d], d_l[:k * t])
    for (int64_t i = 0; i < n; i++) {
        double *restrict score = own + omp_get_thread_num() * (2 * k + 2 * k * d), *restrict p = score + k;
        double *restrict centred = p + k, *restrict white = centred + k * d;
        for (int64_t c = 0; c < k; c++) {
            double *restrict e = centred + c * d, *restrict w = white + c * d;
            const double *restrict lc = l + c * t;
            for (int64_t j = 0; j < d; j++) {
                e[j] = x[i * d + j] - mu[c * d + j];
                w[j] = diagonal[c * d + j] * e[j];
            }
            for (int64_t j = 0; j < d; j++) {
                const double ej = e[j];
                for (int64_t r = j + 1; r < d; r++)
                    w[r] += lc[r - j - 1] * ej;
                lc += d - j - 1;
            }
            double square = 0.0;
            for (int64_t j = 0; j < d; j++)
                square += w[j] * w[j];
            score[c] = base[c] - 0.5 * square;
        }
        softmax(score, k, p);
        for (int64_t c = 0; c < k; c++) {
            const double pc = p[c];
            const double *restrict e = centred + c * d, *restrict w = white + c * d, *restrict lc = l + c * t;
            const double *restrict g = diagonal + c * d;
            double *restrict dl = d_l + c * t;
            d_alpha[c] += pc;
            for (int64_t j = 0; j < d; j++) {
                d_q[c * d + j] += pc * (1.0 - w[j] * g[j] * e[j]);
                double back = g[j] * w[j];
                const double weight = pc * e[j];
                for (int64_t r = j + 1; r < d; r++) {
                    back += lc[r - j - 1] * w[r];
                    dl[r - j - 1] -= weight * w[r];
                }
                d_mu[c * d + j] += pc * back;
                lc += d - j - 1;
                dl += d - j - 1;
            }
        }
    }
    softmax(alpha, k, own);
    for (int64_t c = 0; c < k; c++)
        d_alpha[c] -= (double)n * own[c];
    for (int64_t j = 0; j < k * d; j++)
        d_q[j] -= diagonal[j] * diagonal[j];
    for (int64_t j = 0; j < k * t; j++)
        d_l[j] -= l[j];
}
