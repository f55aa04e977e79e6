"""The primitive `branch` and its rules."""
