"""The rules of `compiler.algebra`, by what they are about.

A rule is a function ``(b, out, inputs, params)``: of a `simplify.Builder`, of the shape and dtype of the equation, and
of its inputs and parameters. It returns the value that stands for the equation, or None.
"""
