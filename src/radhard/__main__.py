"""Runs the command line: `python -m radhard` is `radhard`."""

from radhard.cli import main

if __name__ == "__main__":
    main()
