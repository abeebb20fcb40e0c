"""Algorithm-based fault tolerance (ABFT) of one matrix product: layout, checksums, checks, repair."""
