"""What docs say of the time that faults cost, from `benchmarks/FAULTY.json`."""

import json
from textwrap import fill

from benchmarks.claims.data import RESULTS, between, listed


def speed() -> str:
    """What faults cost over clean inference, of all models that were measured."""
    found = json.loads((RESULTS.parent / "benchmarks" / "FAULTY.json").read_text()).values()
    told = {}
    for kind in ("full", "zoo"):
        of = [row for row in found if row["kind"] == kind]
        rates = list(of[0]["ratio"])
        told[kind] = listed([f"{between((row['ratio'][ber] for row in of), 1)} at {ber}" for ber in rates])
        flips = {ber: [row["flips_an_image"][ber] for row in of] for ber in rates}
        told[f"{kind} flips"] = f"{round(max(flips[rates[-1]]), -2):,.0f}"
        told[f"{kind} count"] = str(len(of))
    return fill(
        "What faults cost follows their number, and is not next to nothing: at full size and the paper's bit error rates "
        f"faulty inference takes {told['full']} times the processor time of clean inference ({told['full count']} models, up to "
        f"{told['full flips']} flips an image), in the zoo, at the rates at which it loses accuracy, {told['zoo']} times "
        f"({told['zoo count']} models, up to {told['zoo flips']} flips an image); `python -m benchmarks.faulty`, model by model in "
        "[benchmarks/FAULTY.md](../benchmarks/FAULTY.md). Protection costs more: to simulate checks by blocks or rows takes many "
        "times the time of the faults alone.",
        119,
        break_long_words=False,
        break_on_hyphens=False,
    )
