"""Plans: which sites are protected, how, and the expected accuracy and overhead."""
