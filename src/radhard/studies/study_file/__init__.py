"""A study as a file: model, data, options, seeds and digests, in TOML."""
