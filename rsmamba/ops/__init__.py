"""Tensor operators with a plain reference and fast backends."""
