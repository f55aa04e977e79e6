"""Polynomials behind the compiled functions: minimax fits made with mpmath."""
