"""Quantisation: from a float program to an integer program, by a recipe and calibration."""
