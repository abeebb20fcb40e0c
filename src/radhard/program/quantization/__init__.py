"""From a float program to an integer one: recipes, calibration, scales."""
