"""What protection costs, as models: operations of checks and repairs, and the block for which they are fewest."""
