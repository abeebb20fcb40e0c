"""Measures what vulnerability factors are made of: each component protected in turn, until all factors are known."""

from collections.abc import Iterator
from dataclasses import replace

from radhard.analysis.vulnerability import Study, after_each_trial
from radhard.campaign.execute import Progress, execute
from radhard.campaign.executor import Executor, Skipped
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.campaign.store import Store


def measure_factors(
    study: Study, store: Store, *, executor: Executor, model_under_test: ModelUnderTest | None = None
) -> Iterator[Progress | Skipped]:
    """Measure what the store lacks of a study; yields after every unit. No trial follows once factors are narrow."""
    if study.until_width is None:
        yield from execute(study.campaign, store, executor=executor, model_under_test=model_under_test)
        return
    known = after_each_trial(study, store)
    for trial in range(study.trials):
        yield from execute(
            replace(study.campaign, trials=trial + 1), store, executor=executor, model_under_test=model_under_test
        )
        if study.narrow(next(known)[1:]):
            return
