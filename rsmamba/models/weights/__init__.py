"""The model files that the package carries."""
