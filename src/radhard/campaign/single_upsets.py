"""Injects one upset of a part in each inference and counts wrong answers, without a plan and with it.

Each image is run once clean, then from the upset on, until all words are the clean ones again. With a plan, the upsets
that make an answer wrong are injected again, each in a run of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radhard.campaign.measure import KEPT_AT_ONCE, predictions
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.errors import InputError
from radhard.hardware import (
    EffectiveUpsets,
    OutputUpsets,
    Register,
    SystolicArray,
    UpsetMachine,
    UpsetPlaces,
    array_products,
)
from radhard.hardware.fault_model import UpsetsByImage
from radhard.hardware.fault_models import RegisterPlaces
from radhard.kernels.octets import OCTETS
from radhard.machine import Clean, Machine
from radhard.program import KeptRun, Program, Resuming, rerun, run, run_and_keep
from radhard.protection import Protection

Counts = NDArray[np.int64]
Struck = Register | Literal["activations"]
"""What is upset: a register of the array, at useful cycles, or a stored word that a site has written."""


@dataclass(frozen=True, kw_only=True, eq=False)
class UpsetOutcomes:
    """What upsets of a part did: int64 [N], of each image.

    `upsets` were injected; `wrong` of them gave another top-1 class than the fault-free one, or NaN; `silent` of these
    did so with the plan on and no alarm; None without a plan.
    """

    upsets: Counts
    wrong: Counts
    silent: Counts | None


def _untold(done: int, total: int) -> None:
    del done, total


@dataclass(frozen=True, kw_only=True, eq=False)
class UpsetCampaign:
    """One upset of each of the `struck` in each of `trials` of images 0 ... images - 1, `batch` at a time."""

    array: SystolicArray
    struck: Sequence[Struck]
    images: int
    trials: int
    seed: int = 0
    batch: int = 64
    protection: Protection | None = None
    progress: Callable[[int, int], None] = field(default=_untold, repr=False)
    """Told of so many inferences done of so many, those with a plan apart."""

    def measure(self, model_under_test: ModelUnderTest, program: Program) -> dict[Struck, UpsetOutcomes]:
        """The outcomes by what is struck. InputError for fewer images than are asked for, and without int8 products."""
        if self.images > len(model_under_test.data):
            raise InputError(
                f"--images {self.images}: {model_under_test.data.name} has {len(model_under_test.data):,}; "
                "ask for fewer or give more"
            )
        found = {struck: _nothing(self.images, self.protection) for struck in self.struck}
        total, done = self.images * self.trials * len(found), 0
        batch = max(1, min(self.batch, KEPT_AT_ONCE // program.kept_bytes))
        parts = {struck: self._part(struck, program) for struck in self.struck}
        for places in torch.split(torch.arange(self.images), batch):
            ids = model_under_test.data.ids[places]
            kept = run_and_keep(program, model_under_test.images(places), Clean(), ids=ids)
            for struck, outcome in found.items():
                for trial in range(self.trials):
                    upsets = parts[struck].draw(ids.tolist(), trial)
                    self._count(outcome, kept, places, part=parts[struck], upsets=upsets)
                    done += len(places)
                    self.progress(done, total)
        return found

    def _part(self, struck: Struck, program: Program) -> "_Part":
        if struck == "activations":
            every = OutputUpsets(of="operators").places(program.on_host)
            words = replace(every, of={name: words for name, words in every.of.items() if words.dtype in OCTETS})
            if not words.of:
                raise InputError("an upset of stored words of 8 bits: the program writes none; quantise it")
            return _Part(
                places=words,
                stored=True,
                draw=lambda images, trial: words.sample(images, seed=self.seed, trial=trial),
            )
        products = array_products(program.costs)
        useful = EffectiveUpsets(array=self.array, products=products, register=struck)
        return _Part(
            places=RegisterPlaces(array=self.array, products=products),
            stored=False,
            draw=lambda images, trial: {
                image: useful.sample(seed=self.seed, trial=trial, image=image) for image in images
            },
        )

    def _count(
        self, outcome: UpsetOutcomes, kept: KeptRun, places: Tensor, *, part: "_Part", upsets: UpsetsByImage
    ) -> None:
        """Run a batch with an upset in each image, and count what becomes of its answers."""
        clean = predictions(kept.result.logits)
        wrong = predictions(part.rerun(kept, upsets)) != clean
        outcome.upsets[places.numpy()] += 1
        outcome.wrong[places.numpy()] += wrong
        if self.protection is None or outcome.silent is None:
            return
        for place in np.flatnonzero(wrong):
            image = int(kept.ids[place])
            answer = part.answer(kept, int(place), {image: upsets[image]}, protection=self.protection)
            outcome.silent[int(places[place])] += answer is not None and answer != clean[place]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """What is struck: its `places`, and how upsets of images are drawn in a trial; `stored` as in a fault model."""

    places: UpsetPlaces
    stored: bool
    draw: Callable[[Sequence[int], int], UpsetsByImage]

    def on(self, inner: Machine, upsets: UpsetsByImage) -> Machine:
        """The machine with the upsets."""
        return UpsetMachine(inner, self.places, given=upsets)

    def rerun(self, kept: KeptRun, upsets: UpsetsByImage) -> Tensor:
        """Logits float32 [B, K] of the kept images, each with its upset."""
        sites = [upsets[image][0] for image in kept.ids.tolist()]
        touched = {name: torch.tensor([site == name for site in sites], device="cpu") for name in dict.fromkeys(sites)}
        resuming = Resuming(Clean())
        return rerun(kept, self.on(resuming, upsets), touched=touched, resuming=resuming).result.logits

    def answer(self, kept: KeptRun, place: int, upsets: UpsetsByImage, *, protection: Protection) -> int | None:
        """The top-1 class of the image at `place` of the kept run, with its upset and the plan; None after an alarm."""
        own = slice(place, place + 1)
        protected = protection.on(Clean() if self.stored else self.on(Clean(), upsets))
        machine = self.on(protected, upsets) if self.stored else protected
        logits = run(kept.program, kept.images[own], machine, ids=kept.ids[own]).logits
        alarms = sum(account.alarms for account in protected.accounts.values())
        return None if alarms else int(predictions(logits)[0])


def _nothing(images: int, protection: Protection | None) -> UpsetOutcomes:
    silent = None if protection is None else np.zeros(images, np.int64)
    return UpsetOutcomes(upsets=np.zeros(images, np.int64), wrong=np.zeros(images, np.int64), silent=silent)
