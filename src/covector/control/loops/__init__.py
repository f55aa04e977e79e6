"""The primitive `loop` and its rules."""
