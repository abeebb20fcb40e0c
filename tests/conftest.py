"""The order of the tests: files with the longest tests come first, so that no process waits for one at the end."""

import pytest

LONGEST = (
    "tests/test_readme.py",
    "tests/cli/test_hardening_commands.py",
    "tests/campaign/test_kill.py",
    "tests/deploy/test_export.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
