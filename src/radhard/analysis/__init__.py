"""Statistics: rates, intervals, curves, vulnerability factors and comparisons, computed from stored outcomes."""
