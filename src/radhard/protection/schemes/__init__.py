"""The schemes that protect a site, one file each, and the registry that knows them by name."""
