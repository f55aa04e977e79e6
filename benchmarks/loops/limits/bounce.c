/* Final height of a bouncing ball with drag, its gradient in restitution and initial speed, its derivative along a
 * direction. The gradient keeps the speed before each step and, where the ball touched the floor, what the floor got.
 */
#include <math.h>
#include <stdint.h>

void bounce_value(const double *restitution, const double *speed, int64_t steps, double h, double g, double drag,
                  double start, double *value)
{
    const double e = *restitution;
    double y = start, v = *speed;
    for (int64_t t = 0; t < steps; t++) {
        v -= h * (g + drag * v * fabs(v));
        y += h * v;
        if (y < 0.0) {
            y *= -e;
            v *= -e;
        }
    }
    *value = y;
}

void bounce_gradient(const double *restitution, const double *speed, int64_t steps, double h, double g, double drag,
                     double start, double *restrict kept, double *in_restitution, double *in_speed)
{
    const double e = *restitution;
    double y = start, v = *speed;
    for (int64_t t = 0; t < steps; t++) {
        double *restrict row = kept + 3 * t;
        row[0] = v;
        v -= h * (g + drag * v * fabs(v));
        y += h * v;
        row[1] = y;
        if (y < 0.0) {
            row[2] = v;
            y *= -e;
            v *= -e;
        }
    }
    double ay = 1.0, av = 0.0, ae = 0.0;
    for (int64_t t = steps - 1; t >= 0; t--) {
        const double *restrict row = kept + 3 * t;
        if (row[1] < 0.0) {
            ae -= ay * row[1] + av * row[2];
            ay *= -e;
            av *= -e;
        }
        av += h * ay;
        av -= 2.0 * h * drag * fabs(row[0]) * av;
    }
    *in_restitution = ae;
    *in_speed = av;
}

void bounce_forward(const double *restitution, const double *speed, const double *d_restitution,
                    const double *d_speed, int64_t steps, double h, double g, double drag, double start, double *value,
                    double *derivative)
{
    const double e = *restitution, de = *d_restitution;
    double y = start, v = *speed, dy = 0.0, dv = *d_speed;
    for (int64_t t = 0; t < steps; t++) {
        dv -= 2.0 * h * drag * fabs(v) * dv;
        v -= h * (g + drag * v * fabs(v));
        y += h * v;
        dy += h * dv;
        if (y < 0.0) {
            dy = -(e * dy + de * y);
            dv = -(e * dv + de * v);
            y *= -e;
            v *= -e;
        }
    }
    *value = y;
    *derivative = dy;
}
