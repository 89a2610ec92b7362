"""Mutated scenes and model files, and children that meet them."""
