"""The selective scan for CUDA GPUs in Triton: one forward and one backward for both operators."""
