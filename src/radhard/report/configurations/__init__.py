"""A model under several protections: figure data, tables, records and drawings."""
