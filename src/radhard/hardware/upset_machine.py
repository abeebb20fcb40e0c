"""The machine that has one upset an image; the words that it reaches are made wrong."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.hardware.fault_model import SingleUpset, UpsetPlaces, UpsetsByImage
from radhard.machine import Cost, Machine, Operator, Site, Wrapping


class UpsetMachine(Wrapping):
    """Lets `inner` compute, with one upset in each image, at one of the `places` of the program that is run.

    The upset is addressed by `seed`, `trial` and the image; with `given`, each image has the one that it has there, or
    none. It hits the model's own execution. Checks and repairs are sound, at sites of their own; so are the copies that
    redundancy executes, unless the places say that upsets are in these, too. `upsets` are those of the run, by image,
    each with the name of its site.

    >>> import torch
    >>> import radhard as rh
    >>> from radhard.hardware import UpsetMachine
    >>> net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    >>> images = torch.ones(3, 8)
    >>> program = rh.quantize(rh.capture(net, images), [images])
    >>> machine = UpsetMachine(rh.Clean(), rh.RegisterUpsets(array=(4, 4)).places(program), seed=1)
    >>> _ = rh.run(program, images, machine)
    >>> sorted(machine.upsets)
    [0, 1, 2]
    """

    def __init__(
        self, inner: Machine, places: UpsetPlaces, *, seed: int = 0, trial: int = 0, given: UpsetsByImage | None = None
    ) -> None:
        super().__init__(inner)
        self.places = places
        self.seed = seed
        self.trial = trial
        self.given = given
        self.upsets: UpsetsByImage = {}
        self._ids: Tensor | None = None
        self._at: dict[str, list[SingleUpset]] = {}

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """Draw the upsets of the images `ids` [B] int64."""
        super().begin(costs, ids)
        self._ids, self.upsets, self._at = ids, self.drawn(ids), {}
        for name, upset in self.upsets.values():
            for site in self.places.sites(name, upset):
                self._at.setdefault(site, []).append(upset)

    def drawn(self, ids: Tensor) -> UpsetsByImage:
        """The upsets of the images `ids` [B] int64."""
        images = ids.tolist()
        if self.given is not None:
            return {image: self.given[image] for image in images if image in self.given}
        return self.places.sample(images, seed=self.seed, trial=self.trial)

    def touched(self, ids: Tensor) -> dict[str, Tensor]:
        """Which of the images `ids` [B] have an upset that an output depends on, [B] bool by site: for `rerun`."""
        reached: dict[str, set[int]] = {}
        for image, (name, upset) in self.drawn(ids).items():
            for site in self.places.sites(name, upset):
                reached.setdefault(site, set()).add(image)
        return {
            name: torch.tensor([image in own for image in ids.tolist()], device="cpu") for name, own in reached.items()
        }

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The inner machine's output, with the upsets of this site in it."""
        out = self.inner.apply(operator, inputs, site)
        if self._ids is None:
            raise InputError(f"site {site.name!r}: upsets are drawn for a program's images: run one on this machine")
        copy = site.of and site.part is None and self.places.in_copies
        for upset in self._at.get(site.of if copy else site.name, ()):
            out = out.clone() if out is inputs[0] else out  # a load yields what it reads, which stays as it is
            upset.strike(out, operator, inputs, site, images=self._ids)
        return out
