"""A model under several protections: as data, tables, records and figures."""
