"""Ordinary differential equations."""

from .odeint import odeint

__all__ = ["odeint"]
