"""What a plan says: which sites are protected, how, and what is expected of it."""
