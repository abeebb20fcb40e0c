"""From an exported graph to the steps of a program: which operator each ATen operation is, and what only moves data.

Importing this registers the operations that compute.
"""

from radhard.program.lowering import elementwise, pooling, products, rows

__all__ = ["elementwise", "pooling", "products", "rows"]
