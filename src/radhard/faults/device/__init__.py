"""Bit flips on a GPU: sampled, located and applied by kernels, which prove themselves first."""
