"""Jacobian of bundle adjustment: the residuals of many cameras that see many points, as the values of a CSR matrix.

Cameras are rotation (angle-axis), centre, focal length, principal point, two radial coefficients; the sizes are those
of the data sets of Agarwal, Snavely, Seitz, Szeliski, "Bundle adjustment in the large" (2010).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..limit import call
from .base import Case, Compiler, Function, compiled_by_torch

# cameras, points, observations
SIZES = ((49, 7_776, 31_843), (257, 65_132, 225_911), (356, 226_730, 1_255_268))
PER_CAMERA = 11


def rotate(r: Any, x: Any) -> Any:
    """`x` turned around the axis `r` by the angle ‖r‖, by Rodrigues' formula."""
    angle = np.sqrt(np.sum(r * r))
    axis = r / angle
    return x * np.cos(angle) + np.cross(axis, x) * np.sin(angle) + axis * (axis @ x) * (1.0 - np.cos(angle))


def residual(camera: Any, point: Any, weight: Any, feature: Any) -> Any:
    """The two residuals of one observation."""
    seen = rotate(camera[:3], point - camera[3:6])
    p = seen[:2] / seen[2]
    square = p @ p
    p = p * (1.0 + camera[9] * square + camera[10] * square**2)
    return weight * (p * camera[6] + camera[7:9] - feature)


def rotate_all(r: Any, x: Any) -> Any:
    """`rotate` for every row."""
    angle = np.sqrt(np.sum(r * r, axis=1, keepdims=True))
    axis = r / angle
    along = np.sum(axis * x, axis=1, keepdims=True)
    return x * np.cos(angle) + np.cross(axis, x) * np.sin(angle) + axis * along * (1.0 - np.cos(angle))


def residuals(cameras: Any, points: Any, weights: Any, features: Any) -> Any:
    """`residual` for every row."""
    seen = rotate_all(cameras[:, :3], points - cameras[:, 3:6])
    p = seen[:, :2] / seen[:, 2:]
    square = np.sum(p * p, axis=1, keepdims=True)
    p = p * (1.0 + cameras[:, 9:10] * square + cameras[:, 10:11] * square**2)
    return weights[:, None] * (p * cameras[:, 6:7] + cameras[:, 7:9] - features)


def covector_mapped(jit: Compiler) -> Function:
    """The Jacobian of one observation, mapped over all."""
    import covector

    of_each = covector.vmap(covector.jacfwd(residual, argnums=(0, 1, 2)))

    def csr_values(cameras: Any, points: Any, weights: Any, features: Any, seen_by: Any, seen: Any) -> Any:
        by_camera, by_point, by_weight = of_each(cameras[seen_by], points[seen], weights, features)
        rows = np.concatenate((by_camera, by_point, by_weight[:, :, None]), axis=2)
        return np.concatenate((rows.ravel(), -2.0 * weights))

    return jit(csr_values)


def covector_vectorised(jit: Compiler) -> Function:
    """All residuals at once, and their derivative in one shift of 15 numbers that every observation shares."""
    import covector

    def csr_values(cameras: Any, points: Any, weights: Any, features: Any, seen_by: Any, seen: Any) -> Any:
        def shifted(shift: Any) -> Any:
            moved = cameras[seen_by] + shift[:PER_CAMERA], points[seen] + shift[PER_CAMERA:-1], weights + shift[-1]
            return residuals(*moved, features)

        rows = covector.jacfwd(shifted)(np.zeros(PER_CAMERA + 4))
        return np.concatenate((rows.ravel(), -2.0 * weights))

    return jit(csr_values)


def jax_version() -> Function:
    """The mapped Jacobian in jax.numpy."""
    import jax
    import jax.numpy as jnp

    def turn(r: Any, x: Any) -> Any:
        angle = jnp.sqrt(jnp.sum(r * r))
        axis = r / angle
        return x * jnp.cos(angle) + jnp.cross(axis, x) * jnp.sin(angle) + axis * (axis @ x) * (1.0 - jnp.cos(angle))

    def one(camera: Any, point: Any, weight: Any, feature: Any) -> Any:
        seen = turn(camera[:3], point - camera[3:6])
        p = seen[:2] / seen[2]
        square = p @ p
        p = p * (1.0 + camera[9] * square + camera[10] * square**2)
        return weight * (p * camera[6] + camera[7:9] - feature)

    of_each = jax.vmap(jax.jacfwd(one, argnums=(0, 1, 2)))

    def csr_values(cameras: Any, points: Any, weights: Any, features: Any, seen_by: Any, seen: Any) -> Any:
        by_camera, by_point, by_weight = of_each(cameras[seen_by], points[seen], weights, features)
        rows = jnp.concatenate((by_camera, by_point, by_weight[:, :, None]), axis=2)
        return jnp.concatenate((rows.ravel(), -2.0 * weights))

    return jax.jit(csr_values)


def torch_version() -> Function:
    """The mapped Jacobian in torch."""
    import torch

    def turn(r: Any, x: Any) -> Any:
        angle = torch.sqrt(torch.sum(r * r))
        axis = r / angle
        along = axis * torch.dot(axis, x) * (1.0 - torch.cos(angle))
        return x * torch.cos(angle) + torch.linalg.cross(axis, x) * torch.sin(angle) + along

    def one(camera: Any, point: Any, weight: Any, feature: Any) -> Any:
        seen = turn(camera[:3], point - camera[3:6])
        p = seen[:2] / seen[2]
        square = torch.dot(p, p)
        p = p * (1.0 + camera[9] * square + camera[10] * square**2)
        return weight * (p * camera[6] + camera[7:9] - feature)

    of_each = torch.func.vmap(torch.func.jacfwd(one, argnums=(0, 1, 2)))

    def csr_values(cameras: Any, points: Any, weights: Any, features: Any, seen_by: Any, seen: Any) -> Any:
        by_camera, by_point, by_weight = of_each(cameras[seen_by], points[seen], weights, features)
        rows = torch.cat((by_camera, by_point, by_weight[:, :, None]), 2)
        return torch.cat((rows.ravel(), -2.0 * weights))

    return csr_values


def limit(library: Any, inputs: tuple[Any, ...]) -> Callable[[], Any]:
    """One observation after the other in C."""
    cameras, points, weights, features, seen_by, seen = inputs
    out = np.empty(31 * weights.size)
    run = call(library.bundle_jacobian, weights.size, cameras, points, weights, features, seen_by, seen, out)

    def invoke() -> Any:
        run()
        return out

    return invoke


def _inputs(cameras: int, points: int, observations: int) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    def make(random: np.random.Generator) -> tuple[Any, ...]:
        positions = np.column_stack(
            (
                random.normal(size=(cameras, 3)),
                random.normal(size=(cameras, 3)) + [0.0, 0.0, -8.0],
                random.uniform(300.0, 500.0, size=cameras),
                random.normal(size=(cameras, 2)),
                0.01 * random.normal(size=(cameras, 2)),
            )
        )
        positions[:, :3] *= 0.1
        # observations come camera by camera, as in the data sets
        seen_by = np.sort(random.integers(0, cameras, size=observations))
        return (
            positions,
            random.uniform(-1.0, 1.0, size=(points, 3)),
            random.uniform(0.5, 1.5, size=observations),
            random.normal(size=(observations, 2)),
            seen_by,
            random.integers(0, points, size=observations),
        )

    return make


def _case(size: tuple[int, int, int], style: str, **marks: Any) -> Case:
    observations = size[-1]
    peers = {"jax": jax_version, "torch": torch_version}
    left_out = {"autograd": "it has no vmap and no jacfwd"}
    if observations < SIZES[1][-1]:
        peers["torch.compile"] = compiled_by_torch(torch_version)
    else:
        left_out["torch.compile"] = "measured on the smallest size only"
    if observations >= SIZES[2][-1]:
        del peers["torch"]
        left_out["torch"] = "its temporaries take more than 10 GB"
    return Case(
        family="bundle",
        size=str(observations) if style == "mapped" else f"vectorised-{observations}",
        inputs=_inputs(*size),
        covector=covector_mapped if style == "mapped" else covector_vectorised,
        peers=peers,
        limit=limit,
        left_out=left_out,
        **marks,
    )


def cases() -> list[Case]:
    """Three sizes, by the number of observations, of `vmap(jacfwd)`; two of the vectorised code."""
    return [
        _case((3, 7, 20), "mapped", small=True),
        _case((3, 7, 20), "vectorised", small=True),
        *(_case(size, "mapped") for size in SIZES),
        *(_case(size, "vectorised") for size in SIZES[:2]),
    ]
