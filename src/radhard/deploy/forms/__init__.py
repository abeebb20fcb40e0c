"""Deployed steps of protected sites, one file a form. All are imported here, and so registered."""

from importlib import import_module
from pkgutil import iter_modules

for _file in iter_modules(__path__, f"{__name__}."):
    import_module(_file.name)
