"""Checks and timings of the scan operators and networks on a CUDA GPU; see run_all.sh."""
