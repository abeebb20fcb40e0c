"""Shards of commands whose later trials depend on earlier ones: an executor of one part of the jobs."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from radhard.campaign.execute import Shard
from radhard.campaign.executor import Done, Executor, Skipped
from radhard.campaign.experiment import canonical_json
from radhard.campaign.measure import Job
from radhard.errors import IncompleteError


@dataclass(frozen=True, kw_only=True)
class ShardExecutor:
    """Runs the jobs of one shard, and those without faults, with which all others are compared.

    To which shard a job falls depends on its setting, trial and images alone, not on what a store holds.
    """

    executor: Executor
    shard: Shard

    def run(self, jobs: Iterable[Job]) -> Iterator[Done | Skipped]:
        """Yield the jobs of this shard once they are done. At the end IncompleteError, if there were others."""
        rest: list[Job] = []

        def own() -> Iterator[Job]:
            for job in jobs:
                if falls_to(job, of=self.shard.of) in (None, self.shard.index):
                    yield job
                else:
                    rest.append(job)

        yield from self.executor.run(own())
        if rest:
            raise IncompleteError(
                f"shard {self.shard.index}/{self.shard.of}: its part of what can be measured now is in the store; "
                f"{len(rest):,} jobs fall to the others. Merge the stores of all shards (radhard merge), and give the "
                "merged store to the same command: without --shard it measures what is missing and shows the result, "
                "with --shard it goes on with what depends on the others"
            )


def falls_to(job: Job, *, of: int) -> int | None:
    """The shard, from 1, that a job falls to; None if all of them run it."""
    first = job.units[0]
    if first.setting.reference:
        return None
    digest = hashlib.sha256(canonical_json(list(first.key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") % of + 1


def sharded(executor: Executor, shard: Shard) -> Executor:
    """The executor of one shard; of the only one, the executor as it is."""
    return executor if shard.of == 1 else ShardExecutor(executor=executor, shard=shard)
