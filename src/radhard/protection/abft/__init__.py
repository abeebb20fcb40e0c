"""Algorithm-based fault tolerance of one matrix product: how it is laid out, summed, checked and repaired."""
