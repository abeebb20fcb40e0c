"""The folder of a study: its file, its store, a record of each step, plans, figures and the hardened model."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radhard import strict_json
from radhard.errors import InputError, OutputError


@dataclass(frozen=True, kw_only=True)
class StudyFolder:
    """Where everything of a study is. What is written is whole or not there at all."""

    path: Path

    @property
    def file(self) -> Path:
        """The study's file."""
        return self.path / "study.toml"

    @property
    def store(self) -> Path:
        """Outcomes."""
        return self.path / "run.db"

    @property
    def scales(self) -> Path:
        """The scales of the quantised program."""
        return self.path / "scales.json"

    @property
    def plan(self) -> Path:
        """The plan that is deployed."""
        return self.path / "plan.json"

    @property
    def hardened(self) -> Path:
        """The hardened model."""
        return self.path / "hardened.pt2"

    @property
    def summary(self) -> Path:
        """The record of the study: its steps, what became of each, and how long it took."""
        return self.path / "study.json"

    @property
    def page(self) -> Path:
        """The report."""
        return self.path / "report.html"

    def step(self, name: str) -> Path:
        """What the command of a step prints by --json."""
        return self.path / "steps" / f"{name}.json"

    def figure(self, name: str) -> Path:
        """What the command of a step draws."""
        return self.path / "figures" / f"{name}.png"

    def make(self) -> None:
        """Make the folder. OutputError if that cannot be done."""
        try:
            for path in (self.path, self.step("x").parent, self.figure("x").parent):
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"--out {self.path} is no folder that can be written: {error.strerror}") from error

    def read(self, path: Path) -> dict[str, Any]:
        """A JSON file of the folder. InputError if it is damaged."""
        try:
            values = strict_json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read: {error}; remove it, and its step is done again") from error
        if not isinstance(values, dict):
            raise InputError(f"{path} holds no JSON object; remove it, and its step is done again")
        return values

    def record(self, step: str, key: str) -> Any:
        """A value of the record of a step that is done. InputError if the step is not."""
        values = self.read(self.step(step))
        try:
            return values["models"][0][key]
        except (LookupError, TypeError) as error:
            raise InputError(f"{self.step(step)} has no {key!r}; remove it, and its step is done again") from error

    def write(self, path: Path, write: Callable[[Path], object]) -> None:
        """Write a file of the folder by `write`, and put it in its place once it is whole."""
        draft = path.with_name(f".{os.getpid()}-{path.name}")
        try:
            write(draft)
            os.replace(draft, path)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}") from error
        finally:
            draft.unlink(missing_ok=True)

    def write_json(self, path: Path, values: object) -> None:
        """Write JSON."""
        text = json.dumps(values, allow_nan=False) + "\n"
        self.write(path, lambda draft: draft.write_text(text, encoding="utf-8"))
