"""From an exported graph to the steps of a program: what only moves data, and what each operator is applied to."""
