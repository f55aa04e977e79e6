"""Jacobians of a robot arm at 2,000 poses at once.

The function is written for one pose. `jacfwd` gives its 2 x 3 Jacobian, `vmap` turns that into a function of many
poses that runs as a handful of NumPy calls on whole arrays instead of a Python loop.

Run: python examples/batched_jacobians.py
"""

from time import perf_counter

import numpy as np

from covector import jacfwd, vmap

LENGTHS = np.array([1.0, 0.8, 0.5])


def hand_position(angles):
    """Where the hand of a planar arm is, given the angle at each of its three joints."""
    direction = np.cumsum(angles)
    return np.stack([LENGTHS @ np.cos(direction), LENGTHS @ np.sin(direction)])


def hand_jacobian_by_geometry(angles):
    """The textbook answer: joint j turns everything beyond it."""
    direction = np.cumsum(angles)
    along = np.stack([-LENGTHS * np.sin(direction), LENGTHS * np.cos(direction)])
    return np.cumsum(along[:, ::-1], axis=1)[:, ::-1]


def main():
    poses = np.random.default_rng(0).uniform(-np.pi, np.pi, (2000, 3))
    one, many = jacfwd(hand_position), vmap(jacfwd(hand_position))

    begin = perf_counter()
    batched = many(poses)
    middle = perf_counter()
    looped = np.stack([one(pose) for pose in poses])
    end = perf_counter()

    geometry = np.stack([hand_jacobian_by_geometry(pose) for pose in poses])
    print(f"Jacobians: {batched.shape}")
    print(f"largest difference to the loop {np.max(np.abs(batched - looped)):.1e}, "
          f"to geometry {np.max(np.abs(batched - geometry)):.1e}")  # fmt: skip
    print(f"batched {1e3 * (middle - begin):.1f} ms, loop {1e3 * (end - middle):.1f} ms")
    # How well each pose can move its hand in every direction: the smaller singular value.
    dexterity = np.linalg.svd(batched, compute_uv=False)[:, -1]
    print(f"most dexterous pose (degrees): {np.round(np.degrees(poses[np.argmax(dexterity)]), 1)}")


if __name__ == "__main__":
    main()
