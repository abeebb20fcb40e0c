"""Models of the zoo trained from several seeds on the device, and what each answers under faults.

python -m benchmarks.gpu.training MODEL SEED FOLDER     # one of them, by a process of its own

The training set is found in the folder that FASHION_MNIST names, or where `radhard train` finds it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.gpu.installed import ROOT, install, workplace

install()

import torch  # noqa: E402

from benchmarks.gpu import limits  # noqa: E402
from benchmarks.gpu.answers import answered  # noqa: E402
from benchmarks.gpu.journal import Record  # noqa: E402
from radhard.campaign.build import build  # noqa: E402
from radhard.campaign.seeds import train_seeds  # noqa: E402
from radhard.models.data.fashion import fashion_mnist  # noqa: E402
from radhard.models.load import load  # noqa: E402
from radhard.models.seeding import drawn_from  # noqa: E402
from radhard.models.training.recipe import TrainingRecipe, fit  # noqa: E402
from radhard.models.zoo import ZOO  # noqa: E402

AT_ONCE, SEEDS = 12, range(5)
RATES = (5e-7, 2e-6, 5e-6, 1e-5)
IMAGES = 1000
RECIPE = "int8"
QUICKEST_FIRST = sorted(ZOO, key=lambda name: ZOO[name].recipe.epochs)


def measure(device: torch.device, *, tiny: bool) -> Iterator[Record]:
    """A record of each training that is done in time: all models from one seed, then from the next."""
    if tiny:
        yield _tried(device)
        return
    waiting = [(name, seed) for seed in SEEDS for name in QUICKEST_FIRST]
    running: dict[tuple[str, int], subprocess.Popen[bytes]] = {}
    try:
        while (waiting or running) and limits.left() > 1:
            while waiting and len(running) < AT_ONCE:
                one = waiting.pop(0)
                running[one] = _started(*one)
            for (name, seed), process in list(running.items()):
                if process.poll() is None:
                    continue
                del running[name, seed]
                if process.returncode:
                    told = (_folder(name, seed) / "log").read_text()
                    yield {"model": name, "seed": seed, "error": told[-500:], "text": told[-8000:]}
                else:
                    yield json.loads((_folder(name, seed) / "record.json").read_text())
            time.sleep(0.1)
    finally:
        for process in running.values():
            process.kill()
    yield {"not_done": len(waiting) + len(running)}


def _folder(name: str, seed: int) -> Path:
    return workplace() / f"{name}-{seed}"


def _started(name: str, seed: int) -> "subprocess.Popen[bytes]":
    folder = _folder(name, seed)
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.gpu.training", name, str(seed), str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


def _tried(device: torch.device) -> Record:
    """One epoch of a few images."""
    entry = ZOO["fashion-resnet20"]
    generator = torch.Generator().manual_seed(0)
    with drawn_from(generator):
        module = entry.build()
    data = fashion_mnist("calibration").take(torch.arange(48), name="tried")
    losses: list[float] = []
    fit(
        module,
        data,
        recipe=TrainingRecipe(epochs=1, batch=16),
        mean=entry.mean,
        std=entry.std,
        generator=generator,
        progress=lambda done: losses.append(done.loss),
        device=device,
    )
    return {"model": "fashion-resnet20", "losses": losses}


def curve(name: str, weights: Path, device: torch.device) -> dict[str, int]:
    """Of the first test images, how many the int8 program of these weights classifies rightly at each rate."""
    model_under_test = build(load(name, weights), recipe=RECIPE, device=device)
    labels, found = model_under_test.data.labels[:IMAGES], {}
    for ber in (0.0, *RATES):
        logits = answered(model_under_test.programs[RECIPE], ber=ber, images=IMAGES, device=device).logits
        found[f"{ber:g}"] = int((logits.argmax(dim=1) == labels).sum())
    return found


def main() -> None:
    """Train one model from one seed, and judge it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("seed", type=int)
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    given = os.environ.get("FASHION_MNIST")
    where = None if given is None else Path(given)
    (one,) = train_seeds(chosen.model, [chosen.seed], out=chosen.folder, data_folder=where, device=device)
    right = curve(chosen.model, one.trained.weights, device)
    record = {**one.as_dict(), "curve_images": IMAGES, "curve": right}
    (chosen.folder / "record.json").write_text(json.dumps(record))


if __name__ == "__main__":
    main()
