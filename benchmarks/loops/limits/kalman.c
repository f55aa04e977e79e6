/* Log-likelihood by the Kalman filter for a state of 4 and observations of 2, its gradient, and its derivative along a
 * direction. All sizes are constants, so the compiler unrolls every product; 2 x 2 systems are solved by Cramer's rule.
 *
 * One step: m = F m; A = F P; P = A F^T + Q; G = H P; S = G H^T + R; v = z - H m; X = S^-1 G; w = S^-1 v;
 * term -(v.w + log|det S| + 2 log 2 pi)/2; m += X^T v; P -= X^T G. Nothing assumes that P, Q or R is symmetric.
 * The gradient keeps m and P of every step and computes the rest again.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { N = 4, K = 2 };
static const double CONSTANT = 3.6757541328186907; /* 2 log 2 pi */

/* c (+)= a b for a (p x q), b (q x r); with the letter T the factor is stored transposed */
#define PRODUCT(NAME, AT, BT)                                                                                          \
    static inline __attribute__((always_inline)) void NAME(int p, int q, int r, const double *restrict a,             \
                                                           const double *restrict b, double keep, double sign,        \
                                                           double *restrict c)                                        \
    {                                                                                                                  \
        for (int i = 0; i < p; i++)                                                                                    \
            for (int j = 0; j < r; j++) {                                                                              \
                double sum = 0.0;                                                                                      \
                for (int k = 0; k < q; k++)                                                                            \
                    sum += (AT ? a[k * p + i] : a[i * q + k]) * (BT ? b[j * q + k] : b[k * r + j]);                    \
                c[i * r + j] = (keep != 0.0 ? c[i * r + j] : 0.0) + sign * sum;                                        \
            }                                                                                                          \
    }
PRODUCT(mm, 0, 0)
PRODUCT(mt, 0, 1)
PRODUCT(tm, 1, 0)

typedef struct {
    double m[N], A[N * N], P[N * N], G[K * N], I[K * K], X[K * N], v[K], w[K], det;
} Step;

static inline __attribute__((always_inline)) void predict(const double *F, const double *H, const double *Q,
                                                          const double *R, const double *m, const double *P,
                                                          const double *z, Step *s)
{
    double S[K * K];
    mm(N, N, 1, F, m, 0.0, 1.0, s->m);
    mm(N, N, N, F, P, 0.0, 1.0, s->A);
    memcpy(s->P, Q, sizeof s->P);
    mt(N, N, N, s->A, F, 1.0, 1.0, s->P);
    mm(K, N, N, H, s->P, 0.0, 1.0, s->G);
    memcpy(S, R, sizeof S);
    mt(K, N, K, s->G, H, 1.0, 1.0, S);
    memcpy(s->v, z, sizeof s->v);
    mm(K, N, 1, H, s->m, 1.0, -1.0, s->v);
    s->det = S[0] * S[3] - S[1] * S[2];
    const double inverse = 1.0 / s->det;
    s->I[0] = inverse * S[3], s->I[1] = -inverse * S[1], s->I[2] = -inverse * S[2], s->I[3] = inverse * S[0];
    mm(K, K, N, s->I, s->G, 0.0, 1.0, s->X);
    mm(K, K, 1, s->I, s->v, 0.0, 1.0, s->w);
}

static inline __attribute__((always_inline)) double update(const Step *s, double *m, double *P)
{
    memcpy(m, s->m, sizeof s->m);
    memcpy(P, s->P, sizeof s->P);
    tm(N, K, 1, s->X, s->v, 1.0, 1.0, m);
    tm(N, K, N, s->X, s->G, 1.0, -1.0, P);
    return -0.5 * (s->v[0] * s->w[0] + s->v[1] * s->w[1] + log(fabs(s->det)) + CONSTANT);
}

void kalman_value(const double *F, const double *H, const double *Q, const double *R, const double *mean,
                  const double *covariance, const double *z, int64_t steps, double *value)
{
    double m[N], P[N * N], total = 0.0;
    Step s;
    memcpy(m, mean, sizeof m);
    memcpy(P, covariance, sizeof P);
    for (int64_t t = 0; t < steps; t++) {
        predict(F, H, Q, R, m, P, z + K * t, &s);
        total += update(&s, m, P);
    }
    *value = total;
}

void kalman_gradient(const double *F, const double *H, const double *Q, const double *R, const double *mean,
                     const double *covariance, const double *z, int64_t steps, double *restrict kept, double *dF,
                     double *dH, double *dQ, double *dR)
{
    double m[N], P[N * N];
    Step s;
    memcpy(m, mean, sizeof m);
    memcpy(P, covariance, sizeof P);
    for (int64_t t = 0; t < steps; t++) {
        memcpy(kept + t * (N + N * N), m, sizeof m);
        memcpy(kept + t * (N + N * N) + N, P, sizeof P);
        predict(F, H, Q, R, m, P, z + K * t, &s);
        memcpy(m, s.m, sizeof m);
        memcpy(P, s.P, sizeof P);
        tm(N, K, 1, s.X, s.v, 1.0, 1.0, m);
        tm(N, K, N, s.X, s.G, 1.0, -1.0, P);
    }
    double f[N * N] = {0}, h[K * N] = {0}, q[N * N] = {0}, r[K * K] = {0}; /* gradients */
    double am[N] = {0}, aP[N * N] = {0};                                   /* adjoints of mean and covariance */
    for (int64_t t = steps - 1; t >= 0; t--) {
        const double *restrict m0 = kept + t * (N + N * N), *restrict P0 = m0 + N;
        predict(F, H, Q, R, m0, P0, z + K * t, &s);
        double av[K], aX[K * N], aG[K * N], aS[K * K], aA[N * N], y[K], Y[K * N], half[K];
        mm(K, N, 1, s.X, am, 0.0, 1.0, av);
        mt(K, 1, N, s.v, am, 0.0, 1.0, aX);
        mt(K, N, N, s.G, aP, 1.0, -1.0, aX);
        mm(K, N, N, s.X, aP, 0.0, -1.0, aG);
        for (int i = 0; i < K; i++) {
            av[i] -= 0.5 * s.w[i];
            half[i] = -0.5 * s.v[i];
        }
        tm(K, K, N, s.I, aX, 0.0, 1.0, Y);
        tm(K, K, 1, s.I, half, 0.0, 1.0, y);
        for (int i = 0; i < K; i++)
            for (int j = 0; j < K; j++)
                aS[i * K + j] = -0.5 * s.I[j * K + i] - y[i] * s.w[j];
        mt(K, N, K, Y, s.X, 1.0, -1.0, aS);
        for (int i = 0; i < K; i++)
            av[i] += y[i];
        for (int i = 0; i < K * N; i++)
            aG[i] += Y[i];
        mm(K, K, N, aS, H, 1.0, 1.0, aG);
        tm(K, K, N, aS, s.G, 1.0, 1.0, h);
        for (int i = 0; i < K * K; i++)
            r[i] += aS[i];
        mt(K, 1, N, av, s.m, 1.0, -1.0, h);
        tm(N, K, 1, H, av, 1.0, -1.0, am);
        mt(K, N, N, aG, s.P, 1.0, 1.0, h);
        tm(N, K, N, H, aG, 1.0, 1.0, aP);
        for (int i = 0; i < N * N; i++)
            q[i] += aP[i];
        mm(N, N, N, aP, F, 0.0, 1.0, aA);
        tm(N, N, N, aP, s.A, 1.0, 1.0, f);
        mt(N, N, N, aA, P0, 1.0, 1.0, f);
        tm(N, N, N, F, aA, 0.0, 1.0, aP);
        mt(N, 1, N, am, m0, 1.0, 1.0, f);
        double moved[N];
        tm(N, N, 1, F, am, 0.0, 1.0, moved);
        memcpy(am, moved, sizeof am);
    }
    memcpy(dF, f, sizeof f);
    memcpy(dH, h, sizeof h);
    memcpy(dQ, q, sizeof q);
    memcpy(dR, r, sizeof r);
}

void kalman_forward(const double *F, const double *H, const double *Q, const double *R, const double *tF,
                    const double *tH, const double *tQ, const double *tR, const double *mean,
                    const double *covariance, const double *z, int64_t steps, double *value, double *derivative)
{
    double m[N], P[N * N], tm_[N] = {0}, tP[N * N] = {0}, total = 0.0, d_total = 0.0;
    Step s;
    memcpy(m, mean, sizeof m);
    memcpy(P, covariance, sizeof P);
    for (int64_t t = 0; t < steps; t++) {
        double dm[N], dA[N * N], dP[N * N], dG[K * N], dS[K * K], dv[K], dX[K * N], dw[K];
        predict(F, H, Q, R, m, P, z + K * t, &s);
        mm(N, N, 1, tF, m, 0.0, 1.0, dm);
        mm(N, N, 1, F, tm_, 1.0, 1.0, dm);
        mm(N, N, N, tF, P, 0.0, 1.0, dA);
        mm(N, N, N, F, tP, 1.0, 1.0, dA);
        memcpy(dP, tQ, sizeof dP);
        mt(N, N, N, dA, F, 1.0, 1.0, dP);
        mt(N, N, N, s.A, tF, 1.0, 1.0, dP);
        mm(K, N, N, tH, s.P, 0.0, 1.0, dG);
        mm(K, N, N, H, dP, 1.0, 1.0, dG);
        memcpy(dS, tR, sizeof dS);
        mt(K, N, K, dG, H, 1.0, 1.0, dS);
        mt(K, N, K, s.G, tH, 1.0, 1.0, dS);
        mm(K, N, 1, tH, s.m, 0.0, -1.0, dv);
        mm(K, N, 1, H, dm, 1.0, -1.0, dv);
        /* S dX = dG - dS X, S dw = dv - dS w */
        double right[K * N], short_right[K];
        memcpy(right, dG, sizeof right);
        memcpy(short_right, dv, sizeof short_right);
        mm(K, K, N, dS, s.X, 1.0, -1.0, right);
        mm(K, K, 1, dS, s.w, 1.0, -1.0, short_right);
        mm(K, K, N, s.I, right, 0.0, 1.0, dX);
        mm(K, K, 1, s.I, short_right, 0.0, 1.0, dw);
        const double trace = s.I[0] * dS[0] + s.I[1] * dS[2] + s.I[2] * dS[1] + s.I[3] * dS[3];
        d_total -= 0.5 * (dv[0] * s.w[0] + dv[1] * s.w[1] + s.v[0] * dw[0] + s.v[1] * dw[1] + trace);
        total += update(&s, m, P);
        memcpy(tm_, dm, sizeof tm_);
        memcpy(tP, dP, sizeof tP);
        tm(N, K, 1, dX, s.v, 1.0, 1.0, tm_);
        tm(N, K, 1, s.X, dv, 1.0, 1.0, tm_);
        tm(N, K, N, dX, s.G, 1.0, -1.0, tP);
        tm(N, K, N, s.X, dG, 1.0, -1.0, tP);
    }
    *value = total;
    *derivative = d_total;
}
