"""Compiled functions under other transforms, and in other processes."""
