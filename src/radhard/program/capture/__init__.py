"""From a user's module to an exported graph that can be lowered: captured, taken apart, folded, probed."""
