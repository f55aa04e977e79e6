"""The libraries that are compared, each behind the same six operators."""

from __future__ import annotations

import importlib
import importlib.util

from .base import Peer

# module below this folder -> the package it needs; the order is the order of the columns
_PEERS = {"covector": "covector", "torch": "torch", "autograd": "autograd", "jax": "jax"}


def load_peers(threads: int) -> tuple[list[Peer], list[str]]:
    """Load what is installed.

    Parameters
    ----------
    threads
        Number of threads each of them may use.

    Returns
    -------
    peers
        The installed libraries, ready to use.
    missing
        Names of the others.
    """
    peers: list[Peer] = []
    missing: list[str] = []
    for module, package in _PEERS.items():
        if importlib.util.find_spec(package) is None:
            missing.append(package)
            continue
        # A package that is there but broken raises here: that is not the same as "not installed".
        peers.append(importlib.import_module(f".{module}", __name__).connect(threads))
    return peers, missing


__all__ = ["Peer", "load_peers"]
