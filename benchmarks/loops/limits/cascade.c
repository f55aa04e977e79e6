/* Value, gradient and derivative along a direction of the sum of y(2) with y0' = x0, yi' = xi y(i-1), by classical
 * Runge-Kutta steps, in two ways.
 *
 * For few components: stage by stage over all of them; the gradient is that of the other benchmark.
 * For many: a slope at i needs its stage at i - 1 alone, so a step goes through the components once, a block at a time
 * with all four stages of the block in the cache, and passes on the last entry of each stage; the adjoint does the same
 * backwards and passes on the first. Kept for the gradient: the state of every step; its stages are computed again.
 */
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

enum { BLOCK = 512 };

typedef struct {
    double y[BLOCK + 1], z2[BLOCK + 1], z3[BLOCK + 1], z4[BLOCK + 1]; /* entry 0: the component before the block */
    double k1[BLOCK], k2[BLOCK], k3[BLOCK], k4[BLOCK];
} Stages;

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* slopes of m components from their stage one place to the left, and the next stage y + w k */
static inline void next_stage(const double *restrict x, const double *restrict before, const double *restrict y,
                              double w, int64_t m, double *restrict k, double *restrict z)
{
    for (int64_t i = 0; i < m; i++) {
        k[i] = x[i] * before[i];
        z[i] = y[i] + w * k[i];
    }
}

/* the stages of m components; those before the first one are in the entries 0 */
static inline void stages(const double *restrict x, const double *restrict y, double h, int64_t m, Stages *restrict s)
{
    for (int64_t i = 0; i < m; i++)
        s->y[i + 1] = y[i];
    next_stage(x, s->y, y, 0.5 * h, m, s->k1, s->z2 + 1);
    next_stage(x, s->z2, y, 0.5 * h, m, s->k2, s->z3 + 1);
    next_stage(x, s->z3, y, h, m, s->k3, s->z4 + 1);
    for (int64_t i = 0; i < m; i++)
        s->k4[i] = x[i] * s->z4[i];
}

static inline void start(Stages *s) { s->y[0] = s->z2[0] = s->z3[0] = s->z4[0] = 1.0; } /* y0' = x0 */

static inline void pass_on(Stages *s, int64_t m)
{
    s->y[0] = s->y[m], s->z2[0] = s->z2[m], s->z3[0] = s->z3[m], s->z4[0] = s->z4[m];
}

static void step(const double *restrict x, const double *y, int64_t n, double h, double *next)
{
    Stages s;
    start(&s);
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t m = least(BLOCK, n - first);
        stages(x + first, y + first, h, m, &s);
        for (int64_t i = 0; i < m; i++)
            next[first + i] = s.y[i + 1] + h / 6.0 * (s.k1[i] + 2.0 * s.k2[i] + 2.0 * s.k3[i] + s.k4[i]);
        pass_on(&s, m);
    }
}

static double total(const double *restrict y, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += y[i];
    return sum;
}

void cascade_blocked_value(const double *restrict x, int64_t n, int64_t steps, double h, double *restrict y,
                           double *restrict value)
{
    memset(y, 0, (size_t)n * sizeof(double));
    for (int64_t t = 0; t < steps; t++)
        step(x, y, n, h, y);
    *value = total(y, n);
}

/* adjoints a of the stage before the slopes with adjoints c: a[i] = c[i + 1] x[i + 1], the last from the next block */
static inline double down(const double *restrict x, const double *restrict c, int64_t m, double last,
                          double *restrict a)
{
    for (int64_t i = 0; i + 1 < m; i++)
        a[i] = c[i + 1] * x[i + 1];
    a[m - 1] = last;
    return c[0] * x[0];
}

/* back through one step from y: lambda is the adjoint of the state, out gains the gradient in x */
static void back_through(const double *restrict x, const double *restrict y, int64_t n, double h,
                         double *restrict lambda, double *restrict out)
{
    enum { HALO = 3 }; /* stage 4 at i - 1 needs stage 3 at i - 2, stage 2 at i - 3 and the state at i - 4 */
    Stages s;
    double c1[BLOCK], c2[BLOCK], c3[BLOCK], c4[BLOCK], a1[BLOCK], a2[BLOCK], a3[BLOCK], a4[BLOCK];
    double p1 = 0.0, p2 = 0.0, p3 = 0.0, p4 = 0.0;
    const int64_t size = BLOCK - HALO;
    for (int64_t first = (n - 1) / size * size; first >= 0; first -= size) {
        const int64_t m = least(size, n - first), halo = first ? HALO : 0;
        double *restrict l = lambda + first, *restrict o = out + first;
        const double *restrict xs = x + first;
        start(&s);
        if (first)
            s.y[0] = y[first - HALO - 1];
        stages(xs - halo, y + first - halo, h, m + halo, &s);
        for (int64_t i = 0; i < m; i++)
            c4[i] = h / 6.0 * l[i];
        p4 = down(xs, c4, m, p4, a4);
        for (int64_t i = 0; i < m; i++)
            c3[i] = h / 3.0 * l[i] + h * a4[i];
        p3 = down(xs, c3, m, p3, a3);
        for (int64_t i = 0; i < m; i++)
            c2[i] = h / 3.0 * l[i] + 0.5 * h * a3[i];
        p2 = down(xs, c2, m, p2, a2);
        for (int64_t i = 0; i < m; i++)
            c1[i] = h / 6.0 * l[i] + 0.5 * h * a2[i];
        p1 = down(xs, c1, m, p1, a1);
        for (int64_t i = 0; i < m; i++) {
            const int64_t j = i + halo;
            o[i] += c1[i] * s.y[j] + c2[i] * s.z2[j] + c3[i] * s.z3[j] + c4[i] * s.z4[j];
            l[i] += (a1[i] + a2[i]) + (a3[i] + a4[i]);
        }
    }
}

void cascade_blocked_gradient(const double *restrict x, int64_t n, int64_t steps, double h, double *restrict states,
                              double *restrict lambda, double *restrict out)
{
    memset(states, 0, (size_t)n * sizeof(double));
    for (int64_t t = 0; t < steps; t++)
        step(x, states + t * n, n, h, states + (t + 1) * n);
    for (int64_t i = 0; i < n; i++)
        lambda[i] = 1.0;
    memset(out, 0, (size_t)n * sizeof(double));
    for (int64_t t = steps - 1; t >= 0; t--)
        back_through(x, states + t * n, n, h, lambda, out);
}

/* the same for the tangents, of which the next stage is moved */
static inline void turning(const double *restrict x, const double *restrict dx, const double *restrict before,
                           const double *restrict d_before, const double *restrict dy, double w, int64_t m,
                           double *restrict dk, double *restrict dz)
{
    for (int64_t i = 0; i < m; i++) {
        dk[i] = dx[i] * before[i] + x[i] * d_before[i];
        dz[i] = dy[i] + w * dk[i];
    }
}

void cascade_blocked_forward(const double *restrict x, const double *restrict dx, int64_t n, int64_t steps, double h,
                             double *restrict scratch, double *restrict value, double *restrict derivative)
{
    double *restrict y = scratch, *restrict dy = y + n;
    Stages s, d;
    memset(scratch, 0, (size_t)(2 * n) * sizeof(double));
    for (int64_t t = 0; t < steps; t++) {
        start(&s);
        d.y[0] = d.z2[0] = d.z3[0] = d.z4[0] = 0.0;
        for (int64_t first = 0; first < n; first += BLOCK) {
            const int64_t m = least(BLOCK, n - first);
            const double *restrict xs = x + first, *restrict dxs = dx + first;
            double *restrict ys = y + first, *restrict dys = dy + first;
            stages(xs, ys, h, m, &s);
            for (int64_t i = 0; i < m; i++)
                d.y[i + 1] = dys[i];
            turning(xs, dxs, s.y, d.y, dys, 0.5 * h, m, d.k1, d.z2 + 1);
            turning(xs, dxs, s.z2, d.z2, dys, 0.5 * h, m, d.k2, d.z3 + 1);
            turning(xs, dxs, s.z3, d.z3, dys, h, m, d.k3, d.z4 + 1);
            for (int64_t i = 0; i < m; i++)
                d.k4[i] = dxs[i] * s.z4[i] + xs[i] * d.z4[i];
            for (int64_t i = 0; i < m; i++) {
                ys[i] += h / 6.0 * (s.k1[i] + 2.0 * s.k2[i] + 2.0 * s.k3[i] + s.k4[i]);
                dys[i] += h / 6.0 * (d.k1[i] + 2.0 * d.k2[i] + 2.0 * d.k3[i] + d.k4[i]);
            }
            pass_on(&s, m);
            pass_on(&d, m);
        }
    }
    *value = total(y, n);
    *derivative = total(dy, n);
}
