"""Reports: every table and figure, data first, then drawing."""
