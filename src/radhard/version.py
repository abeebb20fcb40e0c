"""Which radhard this is: what results name, and the package is built as, installed or not."""

VERSION = "0.1.0"
