"""Passes from recorded program to recorded program: expand, simplify, roll."""
