"""Simplification of loops and branches; `passes.simplify` calls what is here."""
