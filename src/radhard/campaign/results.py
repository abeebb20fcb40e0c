"""Results that a store keeps beside its outcomes: what a command found, how it was asked, and when."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from radhard.campaign.opening import salvage_hint, telling
from radhard.campaign.schema import RESULT, check_types, checksum, has_results
from radhard.campaign.store import Store
from radhard.errors import StoreError
from radhard.version import VERSION

ResultRow = tuple[str, ...]
"""The texts of a row of results, in the order of `RESULT`."""


@dataclass(frozen=True, kw_only=True)
class KeptResult:
    """What `verb` found of `model`: its `record` as --json has it, and its `settings`, the options by name.

    `command`: the command line, or "" of a call from Python. `made`: when, in ISO 8601, UTC. `version`: radhard's.

    >>> KeptResult(verb="sweep", model="vit", settings={"seed": 0}, record={"points": []}, made="2026-01-01").digest[:8]
    'cf510f99'
    """

    verb: str
    model: str
    settings: Mapping[str, object]
    record: Mapping[str, object]
    made: str
    command: str = ""
    device: str = ""
    version: str = VERSION

    @property
    def digest(self) -> str:
        """SHA-256 of what was asked and what was found: results that are equal in both are one."""
        text = _json([self.verb, self.model, dict(self.settings), dict(self.record)])
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def row(self) -> ResultRow:
        """As the store has it."""
        settings, record = _json(dict(self.settings)), _json(dict(self.record))
        return (
            self.digest, self.verb, self.model, settings, record, self.command, self.version, self.device, self.made,
        )  # fmt: skip


def keep_result(store: Store, result: KeptResult) -> None:
    """Keep a result in a store, in one transaction; of two that are equal, the later."""
    with store.transaction():
        insert_result(store, result.row)


def insert_result(store: Store, row: ResultRow) -> None:
    """Keep a row of a result; within a transaction."""
    found = store.connection.execute("SELECT made FROM result WHERE digest = ?", row[:1]).fetchone()
    if found is None or found[0] < row[-1]:
        store.connection.execute(
            f"INSERT OR REPLACE INTO result ({RESULT}, checksum) VALUES ({', '.join('?' * (len(row) + 1))})",  # noqa: S608
            (*row, checksum(row)),
        )


def results(store: Store) -> tuple[KeptResult, ...]:
    """What a store keeps, the oldest first. StoreError names a result that is damaged."""
    if not has_results(store.schema):
        return ()
    with telling(store.path):
        rows = store.connection.execute(f"SELECT {RESULT}, checksum FROM result ORDER BY made, digest").fetchall()  # noqa: S608
    found = []
    for row in rows:
        try:
            found.append(verified_result(row))
        except StoreError as error:
            raise StoreError(f"store {store.path}: {error}; {salvage_hint(store.path)}") from None
    return tuple(found)


def verified_result(row: tuple[object, ...]) -> KeptResult:
    """A row of `RESULT` and its checksum -> the result. StoreError if it is damaged."""
    *values, expected = row
    try:
        check_types(values, (str,) * len(values))
        if expected != checksum(values):
            raise StoreError("its checksum is another one")
        _, verb, model, settings, record, command, version, device, made = map(str, values)
        return KeptResult(
            verb=verb, model=model, settings=json.loads(settings), record=json.loads(record),
            command=command, version=version, device=device, made=made,
        )  # fmt: skip
    except (StoreError, ValueError) as error:
        name = f"{values[1]!s:.20} of {values[2]!s:.80}, made {values[-1]!s:.30}"
        raise StoreError(f"the result {name} is damaged: {error}") from None


def latest(found: Iterable[KeptResult]) -> tuple[KeptResult, ...]:
    """The last result of each question: the same verb, model and settings; the oldest first.

    Of a question at several rates, a result is left out if a later one has all its rates and more.
    """
    by: dict[str, KeptResult] = {}
    for one in sorted(found, key=lambda each: each.made):
        key = _json([one.verb, one.model, dict(one.settings)])
        by.pop(key, None)
        by[key] = one
    return tuple(one for one in by.values() if not any(_extends(later, one) for later in by.values()))


def _extends(later: KeptResult, one: KeptResult) -> bool:
    rates, more = one.settings.get("ber"), later.settings.get("ber")
    if (one.verb, one.model) != (later.verb, later.model) or not isinstance(rates, list) or not isinstance(more, list):
        return False
    same = _json({**later.settings, "ber": rates}) == _json(dict(one.settings))
    return same and set(rates) < set(more) and one.made <= later.made


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False, sort_keys=True)
