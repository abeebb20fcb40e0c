"""The version number, for the package and for results, whether radhard is installed or not."""

VERSION = "0.1.0"
