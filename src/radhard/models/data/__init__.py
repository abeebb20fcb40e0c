"""Data sets: what a folder or file holds, which images a run takes, and how they are decoded."""
