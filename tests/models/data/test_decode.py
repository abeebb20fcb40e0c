"""Images from files: listed, identified, decoded; what cannot be read is told."""

import gc
import gzip
import hashlib
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radhard.errors import InputError
from radhard.models.data import decode as decoding
from radhard.models.data import identity as identifying
from radhard.models.data.classes import check_labels, model_labels
from radhard.models.data.decode import decode
from radhard.models.data.factory import list_factory
from radhard.models.data.folder import list_folder
from radhard.models.data.idx import write_idx
from radhard.models.data.listing import Listing
from radhard.models.data.picture import Frame
from radhard.models.data.preprocessing import Preprocessing, enlarged
from radhard.models.vision import import_timm
from tests.support.pictures import noise, save


def frame(size=(20, 20), *, channels=3, **values) -> Frame:
    return Frame(preprocessing=Preprocessing(size=size, **values), channels=channels, mean=(0.5,) * channels)


def decoded(listing: Listing, places=None, **options):
    places = range(listing.count) if places is None else places
    return decode(listing, list(places), name="x", frame=options.pop("frame", frame()), **options)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two classes, five good images, a truncated JPEG, a text that calls itself JPEG, and what is no image."""
    root = tmp_path / "val"
    for number, path in enumerate(("cat/b.jpg", "cat/a.png", "cat/deep/c.JPEG", "dog/a.png", "dog/z.webp")):
        save(Image.fromarray(noise(20, 20, seed=number)), root / path)
    whole = save(Image.fromarray(noise(200, 200, seed=9)), root / "dog" / "cut.jpg").read_bytes()
    (root / "dog" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "dog" / "text.jpg").write_text("I am no image")
    (root / "dog" / "notes.txt").write_text("nor am I, and I do not say so")
    (root / "stray.png").write_bytes(b"")
    (root / "eel").mkdir()
    return root


GOOD = ["cat/a.png", "cat/b.jpg", "cat/deep/c.JPEG", "dog/a.png", "dog/z.webp"]


# --- folders ---


def test_a_folder_is_listed_with_what_is_not_read(tree: Path) -> None:
    listing = list_folder(tree)
    assert listing.class_names == ("cat", "dog", "eel")
    assert sorted(listing.names) == sorted([*GOOD, "dog/cut.jpg", "dog/text.jpg"])
    assert listing.name == "val"
    others, beside, empty, deep = listing.remarks
    assert others == "val: 1 file(s) not read, as they are no images in a class folder: dog/notes.txt"
    assert beside == "val: 1 image(s) beside the class folders, not read: stray.png"
    assert "cat/deep" in deep
    assert "1 class folder(s)" in empty
    assert "eel" in empty


def test_numbers_as_class_names_are_the_labels(tmp_path: Path) -> None:
    for number in range(12):
        save(Image.new("L", (4, 4), 10 * number), tmp_path / str(number) / "a.png")
    data = decoded(list_folder(tmp_path), frame=frame((4, 4), channels=1))
    assert sorted(zip(data.labels.tolist(), data.images[:, 0, 0, 0].tolist(), strict=True)) == [
        (number, 10 * number) for number in range(12)
    ]


@pytest.mark.parametrize("made", [(), ("empty",)])
def test_a_folder_without_images_is_refused(made: tuple[str, ...], tmp_path: Path) -> None:
    for name in made:
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=rf"no image .* in its {len(made)} class folders"):
        list_folder(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        list_folder(tmp_path / "absent")


# --- bad images ---


def test_bad_images_stop_the_run_by_name_and_count(tree: Path) -> None:
    with pytest.raises(InputError) as caught:
        decoded(list_folder(tree))
    text = str(caught.value)
    assert text.startswith("2 of the 7 images of val cannot be read: ")
    assert "dog/cut.jpg (OSError: image file is truncated" in text
    assert "dog/text.jpg (UnidentifiedImageError" in text
    assert "skip_bad" in text


def test_bad_images_are_left_out_when_asked(tree: Path) -> None:
    listing = list_folder(tree)
    data = decoded(listing, bad="skip")
    assert data.skipped == ("dog/cut.jpg", "dog/text.jpg")
    assert list(data.names) == GOOD
    assert data.labels.tolist() == [0, 0, 0, 1, 1]
    for place, name in enumerate(data.names):
        pixels = np.asarray(Image.open(tree / name))  # 20 x 20 as they are
        assert np.array_equal(data.images[place].numpy(), np.moveaxis(pixels, 2, 0))
    assert data.remarks == listing.remarks


def test_nothing_is_left_when_all_are_bad(tree: Path) -> None:
    listing = list_folder(tree)
    bad = [listing.names.index("dog/cut.jpg")]
    with pytest.raises(InputError, match="1 of the 1 images") as caught:
        decoded(listing, bad, bad="skip")
    assert "skip_bad" not in str(caught.value)


def test_pixels_of_16_bits_are_not_cut_to_8(tmp_path: Path) -> None:
    save(Image.fromarray(np.full((4, 4), 40_001, np.uint16)), tmp_path / "a" / "deep.png")
    data = decoded(list_folder(tmp_path), frame=frame((4, 4), channels=1))
    assert data.images.dtype == torch.uint16
    assert data.batch(torch.tensor([0]), mean=(0.0,), std=(1.0,))[0, 0, 0, 0] == np.float32(40_001 / 65_535)


# --- colours and sizes ---


def test_every_mode_becomes_rgb_or_grey(tmp_path: Path) -> None:
    orange, grey = (200, 100, 50), round((200 * 299 + 100 * 587 + 50 * 114) / 1000)
    plain = Image.new("RGB", (20, 20), orange)
    palette = Image.new("P", (20, 20), 1)
    palette.putpalette([0, 0, 0, *orange])
    save(plain, tmp_path / "k" / "rgb.png")
    save(plain.convert("RGBA"), tmp_path / "k" / "rgba.png")
    palette.save(tmp_path / "k" / "palette.png", transparency=bytes([0, 128]))
    save(Image.new("L", (20, 20), 77), tmp_path / "k" / "grey.png")
    save(Image.new("CMYK", (20, 20), (0, 0, 255, 0)), tmp_path / "k" / "cmyk.jpg")
    expected = {"rgb": orange, "rgba": orange, "palette": orange, "grey": (77, 77, 77), "cmyk": (255, 255, 0)}
    data = decoded(list_folder(tmp_path))
    for name, image in zip(data.names, data.images, strict=True):
        colour = torch.tensor(expected[Path(name).stem]).view(3, 1, 1)
        assert (image.int() - colour).abs().max() <= (3 if name.endswith("jpg") else 0), name
    data = decoded(list_folder(tmp_path), frame=frame(channels=1))
    assert data.images.shape == (5, 1, 20, 20)
    found = dict(zip(data.names, data.images[:, 0, 0, 0].tolist(), strict=True))
    assert found["k/grey.png"] == 77
    assert abs(found["k/rgb.png"] - grey) <= 1
    assert found["k/palette.png"] == found["k/rgba.png"] == found["k/rgb.png"]


def cubic(x: float) -> float:
    """Keys' kernel with a = -1/2."""
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def hat(x: float) -> float:
    return max(0.0, 1 - abs(x))


def shrunk(pixels, length: int, *, kernel, support: float):
    """The first axis of [n, ...] resampled to `length`, the kernel as wide as a new pixel; rounded to bytes."""
    scale = len(pixels) / length
    rows = []
    for place in range(length):
        centre, wide = (place + 0.5) * scale, max(scale, 1.0)
        inside = [i for i in range(len(pixels)) if abs(i + 0.5 - centre) < support * wide]
        weights = np.array([kernel((i + 0.5 - centre) / wide) for i in inside])
        rows.append(np.tensordot(weights / weights.sum(), pixels[inside].astype(float), 1))
    return np.clip(np.rint(np.stack(rows)), 0, 255)


@pytest.mark.parametrize(
    ("interpolation", "crop_mode", "resized"),
    [("bicubic", "center", (27, 40)), ("bilinear", "center", (27, 40)), ("bicubic", "squash", (27, 27))],
)
def test_preprocessing_is_resize_and_crop(interpolation, crop_mode, resized, tmp_path: Path) -> None:
    pixels = noise(61, 91)  # height, width: the shorter side becomes 24 / 0.875 = 27, the other 27 * 91 / 61 = 40
    save(Image.fromarray(pixels), tmp_path / "a" / "a.png")
    kernel, support = {"bicubic": (cubic, 2.0), "bilinear": (hat, 1.0)}[interpolation]
    wide = np.moveaxis(shrunk(np.moveaxis(pixels, 1, 0), resized[1], kernel=kernel, support=support), 0, 1)
    whole = shrunk(wide, resized[0], kernel=kernel, support=support)
    top, left = (round((side - 24) / 2) for side in resized)
    expected = np.moveaxis(whole[top : top + 24, left : left + 24], 2, 0)
    size = (24, 24)
    wanted = frame(size, interpolation=interpolation, resize=enlarged(size, crop_pct=0.875), crop_mode=crop_mode)
    found = decoded(list_folder(tmp_path), frame=wanted).images[0]
    assert found.dtype == torch.uint8
    assert np.abs(found.numpy() - expected).max() <= 1


def test_a_model_of_two_channels_takes_no_files(tree: Path) -> None:
    with pytest.raises(InputError, match=r"it has 3 channels \(RGB\), the model takes 2"):
        decoded(list_folder(tree), frame=frame(channels=2))


def test_progress_is_told_to_the_end(tree: Path) -> None:
    told: list[tuple[int, int]] = []
    decoded(list_folder(tree), bad="skip", progress=lambda *state: told.append(state))
    assert told == [(n, 7) for n in range(1, 8)]


def test_a_mapped_file_holds_the_same(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = decoded(list_folder(tree), bad="skip")
    monkeypatch.setattr(decoding, "IN_MEMORY_BYTES", 100)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    mapped = decoded(list_folder(tree), bad="skip")
    assert torch.equal(mapped.images, in_memory.images)
    assert mapped.digest == in_memory.digest
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    assert set(tmp_path.iterdir()) == before  # the file has no name any more


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(InputError, match=r"2\.0 GiB of pixels do not fit into .*TMPDIR"):
        decoding.empty((2**21, 1, 32, 32))


# --- identity ---


def test_an_identity_is_52_bits_of_the_path(tree: Path) -> None:
    data = decoded(list_folder(tree), bad="skip")
    for name, number in zip(data.names, data.ids.tolist(), strict=True):
        assert number == int(hashlib.sha256(name.encode()).hexdigest()[:13], 16)
    assert data.places(data.ids[[3, 0]]).tolist() == [3, 0]
    assert data.name_of(data.ids[2:3]) == {int(data.ids[2]): "cat/deep/c.JPEG"}
    with pytest.raises(
        InputError, match="row 2: image 5 is not one of x, whose 5 images are identified by their paths"
    ):
        data.places(torch.tensor([int(data.ids[0]), 5]))


def test_two_files_of_one_identity_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identifying, "_digest", lambda text: (b"same" if "x" in text else text.encode()).ljust(32))
    with pytest.raises(InputError, match=r"'x1' and 'x2' have the same identity"):
        identifying.identities(["a", "x1", "b", "x2"])


def test_the_drawn_order_is_one_of_all_orders() -> None:
    names = [f"{number}.png" for number in range(400)]
    order = identifying.drawn_order(names, seed=0)
    assert sorted(order) == list(range(400))
    assert identifying.drawn_order(names, seed=1) != order
    backwards = identifying.drawn_order(names[::-1], seed=0)
    assert [names[::-1][place] for place in backwards] == [names[place] for place in order]
    assert abs(np.corrcoef(order, range(400))[0, 1]) < 0.15  # 3 standard deviations of chance


# --- classes ---


def test_some_synsets_are_enough() -> None:
    assert model_labels(["n01440764", "n15075141", "n01443537"], classes=1000, name="d") == [0, 999, 1]
    with pytest.raises(InputError, match=r"1 of its 2 class folders are no classes of imagenet-1k.* n00000001"):
        model_labels(["n01440764", "n00000001"], classes=1000, name="d")


def test_labels_that_cannot_be_the_models_are_refused() -> None:
    assert model_labels(["b", "c"], classes=2, name="d") == [0, 1]
    assert model_labels([], classes=2, name="d") is None
    with pytest.raises(InputError, match=r"data d has 2 classes \(train, val\), the model 1000"):
        model_labels(["train", "val"], classes=1000, name="d")
    with pytest.raises(InputError, match=r"2 classes .*n01440764, n01443537"):
        model_labels(["n01440764", "n01443537"], classes=7, name="d")
    check_labels(torch.tensor([0, 9]), classes=10, name="d")
    with pytest.raises(InputError, match="data d has the label 10"):
        check_labels(torch.tensor([0, 10]), classes=10, name="d")


# --- timm's factory ---


def clean_tree(root: Path) -> Path:
    for number, path in enumerate(("val/cat/b.jpg", "val/cat/a.png", "val/dog/c.png")):
        save(Image.fromarray(noise(20, 20, seed=number)), root / path)
    return root


@pytest.mark.parametrize("name", ["", "torch/image_folder"])
def test_timm_reads_a_folder_as_we_do(name: str, tmp_path: Path) -> None:
    root = clean_tree(tmp_path)
    ours = decoded(list_folder(root / "val"))
    theirs = decoded(list_factory(name, root=root, split="validation"))
    assert theirs.class_names == ours.class_names
    assert sorted(theirs.names) == sorted(ours.names)
    places = [theirs.names.index(name) for name in ours.names]
    for field in ("images", "labels", "ids"):
        assert torch.equal(getattr(theirs, field)[places], getattr(ours, field))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # timm leaves its tar open
def test_timm_reads_a_tar(tmp_path: Path) -> None:
    root = clean_tree(tmp_path)
    with tarfile.open(tmp_path / "all.tar", "w") as tar:
        for path in sorted((root / "val").rglob("*.*")):
            tar.add(path, path.relative_to(root / "val").as_posix())
    ours = decoded(list_folder(root / "val"))
    theirs = decoded(list_factory("", root=tmp_path / "all.tar", split="validation"))
    assert theirs.names == ours.names
    assert theirs.digest == ours.digest
    del theirs
    gc.collect()


def test_timm_does_not_put_another_image_in_a_bad_ones_place(tree: Path) -> None:
    (tree / "stray.png").unlink()
    data = decoded(list_factory("", root=tree, split="validation"), bad="skip")
    assert data.skipped == ("dog/cut.jpg", "dog/text.jpg")
    assert list(data.names) == GOOD[:-1]  # timm does not list .webp
    assert data.remarks == ("val: 2 file(s) that timm does not take for images: dog/notes.txt, dog/z.webp",)


def small_fashion(root: Path, *, count: int):
    """Torchvision's layout of Fashion-MNIST with `count` images of noise in either split."""
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, count, dtype=np.uint8)
    for stem in ("train", "t10k"):
        for part, array in (("images-idx3", images), ("labels-idx1", labels)):
            packed = raw / f"{stem}-{part}-ubyte.gz"
            write_idx(packed, array)
            (raw / f"{stem}-{part}-ubyte").write_bytes(gzip.decompress(packed.read_bytes()))
    return images, labels


def test_timm_reads_torchvisions_sets(tmp_path: Path) -> None:
    images, labels = small_fashion(tmp_path, count=7)
    listing = list_factory("torch/fashion_mnist", root=tmp_path, split="validation")
    assert listing.class_names[9] == "Ankle boot"
    data = decoded(listing, [4, 0, 6], frame=frame((28, 28), channels=1))
    assert torch.equal(data.images[:, 0], torch.from_numpy(images[[4, 0, 6]]))
    assert data.labels.tolist() == labels[[4, 0, 6]].tolist()
    assert data.ids.tolist() == [4, 0, 6]
    assert data.names == ()


class Stream(torch.utils.data.IterableDataset):
    def __init__(self, *, breaks: int = 99) -> None:
        self.breaks = breaks

    def __len__(self) -> int:
        return 6

    def __iter__(self):
        for number in range(5):  # one fewer than it says
            if number == self.breaks:
                raise OSError("connection lost")
            yield Image.new("L", (4, 4), number), number % 2


def streamed(monkeypatch: pytest.MonkeyPatch, stream: Stream) -> Listing:
    import_timm()
    monkeypatch.setattr("timm.data.create_dataset", lambda *_, **__: stream)
    return list_factory("tfds/some", root=None, split="test")


def test_a_stream_is_read_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = streamed(monkeypatch, Stream(breaks=4))
    data = decoded(listing, [3, 1], frame=frame((4, 4), channels=1))
    assert data.images[:, 0, 0, 0].tolist() == data.ids.tolist() == [3, 1]
    assert data.labels.tolist() == [1, 1]
    with pytest.raises(InputError, match=r"reading it failed .*connection lost"):
        decoded(listing, [5], frame=frame((4, 4), channels=1))


def test_a_stream_that_ends_early_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = streamed(monkeypatch, Stream())
    with pytest.raises(InputError, match=r"tfds/some/test gave 1 of the 2 images"):
        decoded(listing, [5, 0], frame=frame((4, 4), channels=1))


def test_what_timm_cannot_make_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"timm:torch/nosuch.*Unknown torchvision dataset nosuch"):
        list_factory("torch/nosuch", root=tmp_path, split="validation")
    with pytest.raises(InputError, match=r"timm:torch/cifar10.*not found or corrupted"):
        list_factory("torch/cifar10", root=tmp_path, split="validation")
