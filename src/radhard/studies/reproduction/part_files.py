"""What a reproduction writes: for each part its records, rows and figures, and the judged claims."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from radhard.analysis.claims.claim import ClaimJudgement
from radhard.machine import Shape
from radhard.report.block_sizes import block_sizes_data, draw_block_sizes
from radhard.report.claims import claim_records, claims_markdown, family_text
from radhard.report.configurations.figure import draw_configurations
from radhard.report.configurations.points import configurations_data
from radhard.report.curve import curve_data, draw_curve
from radhard.report.optimal_blocks import draw_optimal_blocks, optimal_blocks_data
from radhard.report.product_blocks import draw_probabilities
from radhard.report.record import Envelope
from radhard.studies.block_sizes import ModelBlocks
from radhard.studies.command_line import command_line
from radhard.studies.configurations import ConfigurationsResult
from radhard.studies.reproduction.measurement import PartResult, file_name
from radhard.studies.reproduction.paper_figures import PaperPart
from radhard.studies.sweep import SweepResult
from radhard.studies.vulnerability import VulnerabilityResult, plot_together


def write_part(
    part: PaperPart,
    results: Sequence[PartResult],
    *,
    folder: Path,
    prefix: str,
    settings: Mapping[str, object],
) -> tuple[Path, ...]:
    """Write NAME.json, as the command of the part prints it, NAME.csv and the figures; which files these are."""
    stem = f"{prefix}{part.name}"
    command = command_line.get() or "rh.reproduce"
    envelope = Envelope(command=command, settings=settings, models=[dict(result.to_dict()) for result in results])
    record, table = folder / f"{stem}.json", folder / f"{stem}.csv"
    record.write_text(json.dumps(envelope.as_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    _write_rows([row for result in results for row in result.rows()], table)
    return (record, table, *_draw(results, folder=folder, stem=stem))


def write_claims(judgements: Sequence[ClaimJudgement], *, folder: Path, prefix: str) -> tuple[Path, ...]:
    """Write claims.json and claims.md."""
    record, page = folder / f"{prefix}claims.json", folder / f"{prefix}claims.md"
    record.write_text(json.dumps(claim_records(judgements), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    page.write_text(
        f"# The paper's claims\n\n{claims_markdown(judgements)}\n\n{family_text(judgements)}\n", encoding="utf-8"
    )
    return record, page


def _write_rows(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """All rows; what a row lacks is empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=names)
        writer.writeheader()
        writer.writerows(rows)


def _draw(results: Sequence[PartResult], *, folder: Path, stem: str) -> list[Path]:
    """The figures of a part, all models together where the figure takes several."""
    figure = folder / f"{stem}.png"
    sweeps = [result.sweep for result in results if isinstance(result, SweepResult)]
    studies = [result for result in results if isinstance(result, VulnerabilityResult)]
    evaluations = [result.evaluation for result in results if isinstance(result, ConfigurationsResult)]
    blocks = [result for result in results if isinstance(result, ModelBlocks)]
    if sweeps:
        draw_curve(curve_data(sweeps), figure)
    elif studies:
        plot_together(studies, figure)
    elif evaluations:
        draw_configurations(configurations_data(evaluations), figure)
    else:
        return _draw_blocks(blocks, folder=folder, stem=stem)
    return [figure]


def _draw_blocks(results: Sequence[ModelBlocks], *, folder: Path, stem: str) -> list[Path]:
    """Fig. 14 of all models; Fig. 8 of each model's largest product, and Fig. 7 of those that were simulated."""
    files = [folder / f"{stem}-probability.png"]
    draw_probabilities({result.model: result.probabilities for result in results}, files[0])
    for result in results:
        largest = max(result.products, key=lambda product: product.m * product.k * product.n)
        shape = Shape(m=largest.m, k=largest.k, n=largest.n, bias=largest.bias, stored=largest.stored)
        files.append(folder / f"{stem}-{file_name(result.model)}-best.png")
        chosen = "the cube that costs least, of those with at most 1 expected flip"
        draw_optimal_blocks(optimal_blocks_data(largest.rows, shape=shape, chosen=chosen), files[-1])
        if result.simulated:
            files.append(folder / f"{stem}-{file_name(result.model)}-sizes.png")
            draw_block_sizes(block_sizes_data(result.simulated), files[-1])
    return files
