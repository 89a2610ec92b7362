"""Compiled kernels of the scans for the CPU: explicit vectors of 16 channels through Numba.

Only the backends of the operators import from here, and only when they are chosen, so that numba is
not loaded before a kernel is needed.
"""
