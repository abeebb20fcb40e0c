"""The verb `study`: the whole way from a model to a hardened file, step by step, in one folder."""
