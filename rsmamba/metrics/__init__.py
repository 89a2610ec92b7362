"""Accuracy from confusion matrices: NumPy only."""
