"""The tests. They make every program anew: no cache of the user's is read or written."""

import os

os.environ.setdefault("RADHARD_CACHE", "none")
