"""A plug-in of pytest that writes each test's result as soon as it is there: a run that is cut keeps them.

Lines of JSON go to the file that RADHARD_GPU_TESTS names; with several processes, from the one that leads.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest


class Streamed:
    """Writes results into a file."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w")

    def write(self, **line: Any) -> None:
        """One line, at once."""
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that ended, or failed while it was set up or taken down."""
        if report.when != "call" and not report.failed and not (report.when == "setup" and report.skipped):
            return
        crash = getattr(report.longrepr, "reprcrash", None)
        why = f"{crash.path}:{crash.lineno}: {crash.message}" if crash is not None else str(report.longrepr or "")
        failed = {"why": why[-1000:], "text": report.longreprtext[-3000:]} if report.failed else {}
        self.write(test=report.nodeid, outcome=report.outcome, seconds=report.duration, **failed)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be read."""
        if report.failed:
            self.write(test=report.nodeid, outcome="failed", seconds=0.0, why=str(report.longrepr)[-1000:])


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Streamed(Path(os.environ["RADHARD_GPU_TESTS"])))
