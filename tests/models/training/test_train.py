import hashlib
import json
import math

import numpy as np
import pytest
import torch
import typer.testing

from radhard.cli.commands import app
from radhard.errors import ModelError
from radhard.models.data.dataset import Dataset
from radhard.models.data.fashion import fashion_mnist
from radhard.models.load import load
from radhard.models.seeding import drawn_from
from radhard.models.training import train
from radhard.models.training.recipe import TrainingRecipe, augmented, fit, rate
from radhard.models.vision import import_timm
from radhard.models.zoo import ZOO


def part(data, indices, *, name="part"):
    return data.take(indices, name=name)


@pytest.fixture(autouse=True)
def one_thread():
    """Steps this small are slowed by a second thread, by much where another process wants the core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def fitted(seed, *, epochs=2, images=64, batch=16, seen=None):
    """A ViT of 5,000 parameters, fitted to some calibration images -> its weights."""
    import_timm()
    from timm.models.vision_transformer import VisionTransformer

    entry, generator = ZOO["fashion-vit"], torch.Generator().manual_seed(seed)
    with drawn_from(generator):
        module = VisionTransformer(
            img_size=28, patch_size=7, in_chans=1, num_classes=10, embed_dim=16, depth=1, num_heads=2
        )
    data = part(fashion_mnist("calibration"), slice(images))
    recipe = TrainingRecipe(epochs=epochs, batch=batch)
    fit(module, data, recipe=recipe, mean=entry.mean, std=entry.std, generator=generator, progress=seen)
    return module.state_dict()


def test_the_same_seed_trains_the_same_weights_bit_for_bit_and_another_seed_others():
    state = torch.get_rng_state()
    first = fitted(1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    second, other = fitted(1), fitted(2)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_training_lowers_the_loss_and_reports_each_epoch():
    seen = []
    fitted(3, epochs=4, images=400, batch=20, seen=seen.append)
    assert [(done.epoch, done.epochs) for done in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert seen[-1].loss < seen[0].loss - 0.2
    assert [done.seconds for done in seen] == sorted(done.seconds for done in seen)


def test_weights_are_drawn_from_the_given_generator_which_moves_on():
    generator, state = torch.Generator().manual_seed(7), torch.get_rng_state()
    with drawn_from(generator):
        first, second = torch.rand(4), torch.rand(4)
    third = torch.rand(4, generator=generator)
    expected = torch.rand(12, generator=torch.Generator().manual_seed(7))
    assert torch.equal(torch.cat([first, second, third]), expected)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_rate_rises_in_a_line_and_falls_as_half_a_cosine():
    rates = [rate(step, steps=100, warmup=0.05) for step in range(100)]
    assert rates[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[52] == pytest.approx((1 + math.cos(math.pi * 47 / 95)) / 2)
    assert 0 < rates[-1] < 0.001


def test_augmented_images_are_mirrored_and_moved_and_nothing_else():
    images = torch.randint(1, 256, (400, 2, 5, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    result = augmented(images, shift=1, generator=torch.Generator().manual_seed(1))
    assert result.shape == images.shape
    assert result.dtype == torch.uint8
    counts = np.zeros((2, 3, 3), dtype=int)
    for before, after in zip(images.numpy(), result.numpy(), strict=True):
        for mirror in range(2):
            source = before[:, :, ::-1] if mirror else before
            for down in (-1, 0, 1):
                for right in (-1, 0, 1):
                    moved = np.zeros_like(source)
                    for y in range(5):
                        for x in range(4):
                            if 0 <= y - down < 5 and 0 <= x - right < 4:
                                moved[:, y, x] = source[:, y - down, x - right]
                    counts[mirror, down, right] += np.array_equal(moved, after)
    assert counts.sum() == 400  # each is exactly one of the 18
    assert counts.min() >= 6  # 22 expected of each; below 6 at odds of 1e-5


def test_without_shift_half_of_the_images_stay():
    images = torch.arange(8, dtype=torch.uint8).view(1, 1, 2, 4).expand(300, 1, 2, 4)
    result = augmented(images, shift=0, generator=torch.Generator().manual_seed(2))
    same = (result == images).all(dim=(1, 2, 3))
    assert torch.equal(result[~same], images[~same].flip(3))
    assert 100 < same.sum() < 200


@pytest.fixture
def small_training_set(monkeypatch):
    """Stands for the 60,000: the 2,000 calibration images and 60 others, so 60 are left to train on."""
    test, calibration = fashion_mnist("test"), fashion_mnist("calibration")
    images = torch.cat([calibration.images, test.images[:60]])
    labels = torch.cat([calibration.labels, test.labels[:60]])
    whole = Dataset(
        name="small", images=images, labels=labels, ids=torch.arange(len(labels)), class_names=test.class_names
    )
    monkeypatch.setattr(train, "training_set", lambda _folder: whole)
    monkeypatch.setattr(train, "fashion_mnist", lambda _split: part(test, slice(300)))


def test_training_leaves_out_the_200_images_of_each_class_that_calibrate():
    labels = [(7 * i) % 10 for i in range(2_050)]
    images = torch.tensor([[i // 256, i % 256] for i in range(2_050)], dtype=torch.uint8).view(-1, 1, 1, 2)
    kept = train.unseen(
        Dataset(name="all", images=images, labels=torch.tensor(labels), ids=torch.arange(len(labels)), class_names=())
    )
    out = set()
    for c in range(10):
        of_class = [i for i in range(2_050) if labels[i] == c]
        of_class.sort(key=lambda i: hashlib.sha256(f"fashion-mnist calibration 0 {i}".encode()).digest())
        out |= set(of_class[:200])
    left = [i for i in range(2_050) if i not in out]
    assert [256 * high + low for high, low in kept.images.flatten(1).tolist()] == left
    assert kept.labels.tolist() == [labels[i] for i in left]
    assert kept.name == "all without fashion-mnist/calibration"


@pytest.mark.usefixtures("small_training_set")
def test_train_writes_weights_that_load_and_a_card_that_says_what_they_are(tmp_path):
    done = train.train("fashion-vit", out=tmp_path / "new", seed=4, epochs=1)
    again = train.train("fashion-vit", out=tmp_path / "again", seed=4, epochs=1)
    assert done.weights == tmp_path / "new" / "fashion-vit.safetensors"
    assert done.weights.read_bytes() == again.weights.read_bytes()
    model = load("fashion-vit", done.weights)
    data = fashion_mnist("test")
    with torch.inference_mode():
        logits = model.module(data.batch(torch.arange(300), mean=model.mean, std=model.std))
    right = sum(int(row.argmax() == label) for row, label in zip(logits, data.labels, strict=False))
    assert done.training.correct == right
    n, z, p = 300, 1.959963984540054, right / 300
    centre, width = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((centre + sign * width) / (1 + z * z / n) for sign in (-1, 1))
    text = done.card.read_text()
    assert f"**{p:.2%}** ({right} of 300, 95 % Wilson interval {low:.2%} to {high:.2%})" in text
    weights = sum(p.numel() for p in model.module.parameters())
    for fact in (
        "| seed | 4 |",
        "| epochs | 1 |",
        f"{weights:,} parameters",
        "60 images",
        "Zalando",
        torch.__version__,
    ):
        assert fact in text


def test_a_name_that_is_not_in_the_zoo_cannot_be_trained(tmp_path):
    with pytest.raises(ModelError, match=r"'fashion-vitt' is not in the zoo .*Did you mean fashion-vit[,?]"):
        train.train("fashion-vitt", out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_command_trains_all_in_turn_or_those_named_and_none_where_one_is_unknown(tmp_path, monkeypatch):
    trained = []

    def instead(name, *, out, **_):
        trained.append(name)
        numbers = {"correct": 9, "images": 10, "seconds": 60.0}
        training = train.Training(
            recipe=TrainingRecipe(epochs=1), seed=0, trained_on="none", trained_images=0, threads=1, **numbers
        )
        return train.Trained(weights=out / f"{name}.safetensors", card=out / f"{name}.md", training=training)

    monkeypatch.setattr(train, "train", instead)
    radhard = typer.testing.CliRunner()
    done = radhard.invoke(app, ["train", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert trained == list(ZOO)
    assert "fashion-cait: 9 of 10 test images right (90.00%), 1.0 minutes" in done.output
    trained.clear()
    assert radhard.invoke(app, ["train", "fashion-swin", "--out", str(tmp_path)]).exit_code == 0
    assert trained == ["fashion-swin"]
    trained.clear()
    wrong = radhard.invoke(app, ["train", "fashion-swin", "fashion-swim", "--out", str(tmp_path)])
    assert wrong.exit_code != 0
    assert trained == []


@pytest.mark.usefixtures("small_training_set")
def test_seeds_are_trained_one_after_another_and_their_accuracies_written(tmp_path):
    radhard = typer.testing.CliRunner()
    options = ["--seeds", "2", "--seed", "3", "--epochs", "1", "--out", str(tmp_path)]
    done = radhard.invoke(app, ["train", "fashion-resnet20", *options])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "seeds.json").read_text())
    assert [(one["model"], one["seed"], one["epochs"]) for one in found] == [("fashion-resnet20", s, 1) for s in (3, 4)]
    alone = train.train("fashion-resnet20", out=tmp_path, seed=4, epochs=1)
    assert alone.weights.read_bytes() == (tmp_path / "fashion-resnet20-seed4.safetensors").read_bytes()
    for one in found:
        assert (tmp_path / one["weights"]).exists()
        assert one["images"] == 300
        assert 0 <= one["float_correct"] <= 300
        assert 0 <= one["int8_correct"] <= 300
        assert len(one["losses"]) == 1
