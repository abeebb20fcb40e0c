"""Schemes that protect a site, one file each, and their registry.

A file of this package that has a class under `@scheme(...)` is a scheme of radhard: all files are imported here.
"""

from importlib import import_module
from pkgutil import iter_modules

for _file in iter_modules(__path__, f"{__name__}."):
    import_module(_file.name)
