"""Images that choose a plan and images that evaluate it are never the same, and it is told where they are."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from radhard.campaign.selection import before_any, check_apart, check_disjoint, chosen_on, fingerprints, seen_by
from radhard.errors import InputError
from radhard.models.data.dataset import Dataset
from radhard.models.data.fashion import fashion_mnist
from radhard.models.data.splits import DataChoice, split_data
from radhard.models.load import load
from radhard.protection import ChosenOn, Plan, Protection, read_plan, write_plan
from tests.support.pictures import grey_folder


def noise(count: int, *, seed: int = 0, first: int = 0) -> Dataset:
    generator = torch.Generator().manual_seed(seed)
    return Dataset(
        name="noise",
        images=torch.randint(0, 256, (count, 1, 4, 4), generator=generator, dtype=torch.uint8),
        labels=torch.zeros(count, dtype=torch.int64),
        ids=torch.arange(first, first + count),
        class_names=("a",),
    )


def plan(data: Dataset, *, images: int, judged: Dataset | None = None) -> Plan:
    judges = (data, 0) if judged is None else (judged, len(judged))
    told = chosen_on(data, images=images, trials=2, calibrated_on="others", judged=judges)
    return Plan(model="m", program="ab", recipe="int8", ber=1e-7, protection=Protection(), chosen_on=told)


def of_before(data: Dataset, *, images: int) -> list[str]:
    """Fingerprints as plans had them that knew an image by identity and content."""
    return [
        f"{int(data.ids[place]):x}-{hashlib.sha256(bytes(data.images[place].flatten().tolist())).hexdigest()[:8]}"
        for place in range(images)
    ]


def test_a_fingerprint_is_a_digest_of_the_pixels_alone() -> None:
    data = noise(20, first=250)
    expected = [hashlib.sha256(bytes(data.images[k].flatten().tolist())).hexdigest()[:16] for k in range(7)]
    found = fingerprints(data, images=7)
    assert (found.of, found.values) == ("content", set(expected))
    assert found.places(data, images=20) == tuple(range(7))
    assert found.places(data.take(torch.tensor([9, 6, 2]), name="x"), images=3) == (1, 2)
    assert found.places(noise(20, seed=5, first=250), images=20) == ()
    told = plan(data, images=7).chosen_on
    assert (told.fingerprints_of, told.fingerprints) == ("content", tuple(expected))


def test_a_copy_under_another_name_does_not_evaluate_what_it_chose(tmp_path: Path) -> None:
    data = noise(30)
    write_plan(plan(data, images=10), tmp_path / "plan.json")
    chosen = read_plan(tmp_path / "plan.json")
    copies = replace(data, ids=data.ids + 1000, name="copies")
    with pytest.raises(InputError, match=r"^10 of the 12 images of copies chose .* \(image 1000 for one\)"):
        check_disjoint(chosen, copies, images=12)
    with pytest.raises(InputError, match=r"^2 of the 4 images of copies are among the 3 that choose layers"):
        check_apart(copies.take(torch.tensor([5, 2, 9, 0]), name="copies"), images=4, chosen=data, select=3)
    assert before_any(copies.take(torch.tensor([11, 12, 3]), name="x"), seen=[seen_by(chosen)], most=9) == 2
    assert before_any(copies, seen=[], most=9) == 9


def test_older_plans_know_images_by_identity_and_content(tmp_path: Path) -> None:
    data = noise(30, first=250)
    old = replace(plan(data, images=4), chosen_on=ChosenOn(fingerprints=tuple(of_before(data, images=4))))
    write_plan(old, tmp_path / "plan.json")
    read = read_plan(tmp_path / "plan.json")
    assert seen_by(read).of == "identity and content"
    with pytest.raises(InputError, match=r"^4 of the 9 images of noise chose or judged the plan \(image 250 for one\)"):
        check_disjoint(read, data, images=9)
    check_disjoint(read, replace(data, ids=data.ids + 1000), images=9)  # which is why fingerprints are no longer so
    new = plan(data.take(torch.tensor([7]), name="one"), images=1)
    assert before_any(data, seen=[seen_by(new), seen_by(read)], most=9) == 0
    assert before_any(data.take(torch.arange(4, 30), name="rest"), seen=[seen_by(read), seen_by(new)], most=9) == 3


def test_an_overlap_is_found_however_small(tmp_path: Path) -> None:
    data = noise(30)
    write_plan(plan(data, images=10), tmp_path / "plan.json")
    chosen = read_plan(tmp_path / "plan.json")
    check_disjoint(chosen, data.take(torch.arange(10, 30), name="rest"), images=20)
    mixed = data.take(torch.tensor([*range(11, 20), 9, 3]), name="mixed")
    check_disjoint(chosen, mixed, images=9)
    with pytest.raises(InputError, match=r"^1 of the 10 images of mixed chose or judged the plan \(image 9 for one\)"):
        check_disjoint(chosen, mixed, images=10)
    with pytest.raises(InputError, match=r"^2 of the 11 images of mixed .*\(image [39] for one\)"):
        check_disjoint(chosen, mixed, images=11)


def test_images_that_judged_a_plan_do_not_evaluate_it() -> None:
    data = noise(30)
    chosen = plan(data, images=10, judged=data.take(torch.arange(10, 20), name="judges"))
    check_disjoint(chosen, data.take(torch.arange(20, 30), name="rest"), images=10)
    with pytest.raises(InputError, match=r"^1 of the 2 images of mixed chose or judged .* \(image 19 for one\)"):
        check_disjoint(chosen, data.take(torch.tensor([20, 19]), name="mixed"), images=2)


def test_the_same_numbers_of_other_images_are_no_overlap() -> None:
    data, other = noise(200, seed=1), noise(200, seed=2)
    assert torch.equal(data.ids, other.ids)
    check_disjoint(plan(data, images=200), other, images=200)
    one = replace(other, images=other.images.clone())
    one.images[77] = data.images[77]
    with pytest.raises(InputError, match=r"1 of the 200 .* \(image 77 for one\)"):
        check_disjoint(plan(data, images=200), one, images=200)


def test_a_plan_that_was_chosen_on_nothing_has_no_overlap() -> None:
    check_disjoint(replace(plan(noise(3), images=3), chosen_on=ChosenOn()), noise(3), images=3)


# --- the images that select ---


def contents(data: Dataset) -> set[bytes]:
    return {bytes(image.flatten().tolist()) for image in data.images}


def test_embedded_images_that_select_neither_evaluate_nor_calibrate() -> None:
    vit = load("fashion-vit")
    select = split_data(DataChoice(part="select"), vit)
    evaluate = split_data(DataChoice(), vit)
    assert len(select.evaluated) == 2000 - 512
    assert torch.equal(select.evaluated.images, fashion_mnist("calibration").images[512:])
    assert torch.equal(select.calibration.images, evaluate.calibration.images)
    assert contents(select.evaluated).isdisjoint(contents(select.calibration))
    assert contents(select.evaluated).isdisjoint(contents(evaluate.evaluated))
    some = split_data(DataChoice(part="select", samples=40, seed=3), vit).evaluated
    assert len(some) == 40
    assert contents(some) <= contents(select.evaluated)
    check_disjoint(plan(some, images=40), evaluate.evaluated, images=10_000)
    with pytest.raises(InputError, match="1,488 images"):
        split_data(DataChoice(part="select", samples=1489), vit)


def test_a_folders_images_that_select_come_from_the_other_end(tmp_path: Path) -> None:
    folder, vit = grey_folder(tmp_path / "val", each=6, suffix=".png"), load("fashion-vit")
    parts = {
        part: split_data(DataChoice(data=str(folder), samples=20, seed=4, part=part), vit)  # type: ignore[arg-type]
        for part in ("evaluate", "select")
    }
    evaluate, select = (set(parts[part].evaluated.names) for part in ("evaluate", "select"))
    apart = set(parts["select"].calibration.names)
    assert apart == set(parts["evaluate"].calibration.names)
    assert len(evaluate) == len(select) == 20
    assert len(apart) == 12
    assert evaluate.isdisjoint(select)
    assert apart.isdisjoint(evaluate | select)
    assert parts["select"].evaluated.digest != parts["evaluate"].evaluated.digest
    assert "from the end" in parts["select"].evaluated.name
    check_disjoint(plan(parts["select"].evaluated, images=20), parts["evaluate"].evaluated, images=20)
    whole = split_data(DataChoice(data=str(folder), seed=4), vit).evaluated  # 48 of them: 20 select, 28 are left
    check_disjoint(plan(parts["select"].evaluated, images=20), whole, images=28)
    with pytest.raises(InputError, match="1 of the 29 images"):
        check_disjoint(plan(parts["select"].evaluated, images=20), whole, images=29)
