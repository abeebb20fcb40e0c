"""The ATen operations that compute, each with its operator; importing this registers them."""

from radhard.program.lowerings import elementwise, pooling, products, rows

__all__ = ["elementwise", "pooling", "products", "rows"]
