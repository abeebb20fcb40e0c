"""The results of a run in one JSON file and its texts in another, written anew after each: a killed run keeps them."""

import json
import os
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Journal:
    """Records in `folder`/gpu.json under what is known of the machine; texts in `folder`/profiles.txt."""

    def __init__(self, folder: Path, *, machine: Record, goes_on: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file, self.texts = folder / "gpu.json", folder / "profiles.txt"
        self.records: list[Record] = []
        self.machine = machine
        if goes_on and self.file.exists():
            self.records = json.loads(self.file.read_text())["records"]
        elif not goes_on:
            self.texts.write_text("")
        self._flush()

    def add(self, record: Record) -> None:
        """Keep a record; its "text", if it has one, goes to the texts."""
        text = record.pop("text", None)
        if text is not None:
            with self.texts.open("a") as file:
                title = ", ".join(f"{key} {value}" for key, value in record.items() if not isinstance(value, dict))
                file.write(f"==== {title}\n{text.rstrip()}\n\n")
        self.records.append(record)
        self._flush()
        print(f"{record.get('at', 0):6.1f} s  {shortened(record)}", flush=True)

    def _flush(self) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps({**self.machine, "records": self.records}, indent=1, default=plain) + "\n")
        os.replace(new, self.file)


def plain(value: object) -> object:
    """What JSON has no word for, numbers of numpy and torch among it, as what it has."""
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)


def shortened(record: Record, *, most: int = 300) -> str:
    """A record in one line."""
    text = json.dumps({key: value for key, value in record.items() if key != "at"}, default=plain)
    return text if len(text) <= most else f"{text[:most]} ..."
