"""What soft errors do to a vision model, and how to harden it."""
