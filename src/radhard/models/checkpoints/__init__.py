"""Weights from files into modules, without running code that a file may hold."""
