"""Lowering: from an exported graph to the steps of a program, operators and data movement."""
