"""Bit flips on a GPU: sampled, located and applied by kernels, and how these prove themselves."""
