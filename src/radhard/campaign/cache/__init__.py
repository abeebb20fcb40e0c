"""The cache of programs: nothing is captured, calibrated or quantised twice."""
