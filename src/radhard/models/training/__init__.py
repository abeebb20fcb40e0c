"""Training the models of the zoo."""
