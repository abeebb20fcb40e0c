"""Cost models of protection: operations of checks and repairs, and the block size that needs fewest."""
