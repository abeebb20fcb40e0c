"""A report page as values: its title and sections, from the results of stores."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from radhard.campaign.contents import Held, contents
from radhard.campaign.results import KeptResult, latest, results
from radhard.campaign.store import Store
from radhard.report.page.avf import avf_section
from radhard.report.page.claims import claims_section
from radhard.report.page.configurations import compared_section, evaluated_section
from radhard.report.page.coverage import coverage_section
from radhard.report.page.curve import curve_section
from radhard.report.page.factors import factor_section
from radhard.report.page.frontier import plan_section
from radhard.report.page.hardened_model import hardened_section
from radhard.report.page.patches import patch_section
from radhard.report.page.provenance import commands_of, provenance_section
from radhard.report.page.section import Section
from radhard.report.page.summary import asked_of, summary_section


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What stores keep: `results`, the last answer of each question, and what made them."""

    results: tuple[KeptResult, ...]
    held: tuple[Held, ...]
    made_by: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page: its title, a line on where it is from, the commands that make it again, and its sections."""

    title: str
    subtitle: str
    commands: tuple[str, ...]
    sections: tuple[Section, ...]


def kept_in(paths: Sequence[Path]) -> Kept:
    """What the stores at `paths` keep. StoreError for a file that is none, and for damage."""
    found: list[KeptResult] = []
    held: list[Held] = []
    made_by: dict[str, None] = {}
    for path in paths:
        with Store(path, mode="read") as store:
            found += results(store)
            held += contents(store)
            made_by |= dict.fromkeys(store.made_by())
    return Kept(results=latest(found), held=tuple(held), made_by=tuple(made_by))


def page_of(kept: Kept, *, source: str) -> Page:
    """The page of what is kept; `source` says where it is from."""
    by: dict[str, list[KeptResult]] = {}
    for one in kept.results:
        by.setdefault(asked_of(one), []).append(one)
    kinds = ("layer", "module", "operator", "site", "bit", "kind")
    sections = (
        summary_section([one for one in kept.results if one.verb != "inspect"]),
        curve_section(by.get("sweep", ())),
        *(factor_section(by.get(kind, ()), by=kind) for kind in kinds),
        patch_section(by.get("patch", ())),
        avf_section(by.get("avf", ())),
        plan_section(by.get("plan", ())),
        evaluated_section(by.get("evaluate", ())),
        compared_section(by.get("compare", ())),
        hardened_section(by.get("harden", ())),
        claims_section(kept.results),
        coverage_section(by.get("inspect", ())),
        provenance_section(kept.results, held=kept.held, made_by=kept.made_by),
    )
    models = list(dict.fromkeys(one.model for one in kept.results))
    named = ", ".join(models) if len(models) <= 3 else f"{len(models)} models"
    return Page(
        title=f"{named or 'No model yet'} under soft errors",
        subtitle=source,
        commands=commands_of(kept.results),
        sections=tuple(section for section in sections if section is not None),
    )
