import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from radhard.errors import InputError
from radhard.models.data import fashion
from radhard.models.data.dataset import Dataset
from radhard.models.data.idx import read_idx, write_idx

DATA = Path(fashion.__file__).parent
needs_training_set = pytest.mark.skipif(
    not fashion.DEBIAN_FOLDER.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)


def idx_bytes(magic, sizes, payload):
    return struct.pack(f">{1 + len(sizes)}I", magic, *sizes) + bytes(payload)


def test_idx_is_read_row_major(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx_bytes(0x803, (2, 1, 3), [1, 2, 3, 4, 5, 255])))
    assert read_idx(path, dims=3).tolist() == [[[1, 2, 3]], [[4, 5, 255]]]


def test_idx_is_written_as_the_format_says_and_always_the_same(tmp_path):
    first, second = tmp_path / "a.gz", tmp_path / "b.gz"
    for path in (first, second):
        write_idx(path, np.array([[7, 8], [9, 10], [11, 12]], dtype=np.uint8))
    assert gzip.decompress(first.read_bytes()) == idx_bytes(0x802, (3, 2), [7, 8, 9, 10, 11, 12])
    assert first.read_bytes() == second.read_bytes()


WHOLE = gzip.compress(idx_bytes(0x801, (4,), [1, 2, 3, 4]))
BROKEN = {
    "not gzip": (b"hello, I am no gzip file", "cannot be read as gzip"),
    "cut short": (WHOLE[:-9], "cannot be read as gzip"),
    "a flipped bit": (WHOLE[:-6] + bytes([WHOLE[-6] ^ 1]) + WHOLE[-5:], "cannot be read as gzip"),
    "no header": (gzip.compress(b"\0\0\x08"), "holds 3 bytes"),
    "magic of 3 axes": (gzip.compress(idx_bytes(0x803, (4,), [1, 2, 3, 4])), "magic number 0x00000803"),
    "too few": (gzip.compress(idx_bytes(0x801, (4,), [1, 2, 3])), r"sizes \[4\], hence 4 bytes, but 3"),
    "too many": (gzip.compress(idx_bytes(0x801, (4,), [1] * 5)), r"sizes \[4\], hence 4 bytes, but 5"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_idx_file_is_named_with_its_fault(case, tmp_path):
    content, fault = BROKEN[case]
    path = tmp_path / "labels.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"labels\.gz .*{fault}"):
        read_idx(path, dims=1)


def test_a_missing_idx_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.gz does not exist"):
        read_idx(tmp_path / "nothing.gz", dims=1)


def test_the_embedded_test_set_is_the_published_one():
    published = {  # MD5 of the .gz files, from the data set's own page
        "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
    }
    for name, digest in published.items():
        stream = (DATA / f"{name}.gz").read_bytes()[10:]  # Debian's have another gzip header: no name, its own time
        header = b"\x1f\x8b\x08\x08" + struct.pack("<I", 1504176627) + b"\0\3" + name.encode() + b"\0"
        assert hashlib.md5(header + stream).hexdigest() == digest
    data = fashion.fashion_mnist("test")
    assert data.images.shape == (10_000, 1, 28, 28)
    assert data.images.dtype == torch.uint8
    assert data.labels.dtype == torch.int64
    assert torch.bincount(data.labels).tolist() == [1000] * 10
    assert len(data.class_names) == 10
    assert data.class_names[data.labels[0]] == "Ankle boot"  # the first test image is one, as one can see


def test_the_licence_of_the_embedded_images_is_beside_them():
    text = (DATA / "LICENSE").read_text()
    assert "Copyright (c) 2017 Zalando SE, https://tech.zalando.com" in text
    assert "The above copyright notice and this permission notice shall be included" in text


def test_any_ten_of_the_calibration_images_hold_each_class_once():
    data = fashion.fashion_mnist("calibration")
    assert data.images.shape == (2_000, 1, 28, 28)
    assert data.labels.tolist() == list(range(10)) * 200


@needs_training_set
def test_the_calibration_images_are_those_that_the_rule_says():
    training = fashion.training_set()
    of_class = {c: [] for c in range(10)}
    for i, label in enumerate(training.labels.tolist()):
        key = hashlib.sha256(b"fashion-mnist calibration 0 " + str(i).encode()).hexdigest()
        of_class[label].append((key, i))
    chosen = [sorted(of_class[c])[rank][1] for rank in range(200) for c in range(10)]
    embedded = fashion.fashion_mnist("calibration")
    assert torch.equal(embedded.images, training.images[chosen])
    assert torch.equal(embedded.labels, training.labels[chosen])


@needs_training_set
def test_the_training_set_is_whole():
    training = fashion.training_set(fashion.DEBIAN_FOLDER)
    assert training.images.shape == (60_000, 1, 28, 28)
    assert torch.bincount(training.labels).tolist() == [6000] * 10
    pixels = training.images.double() / 255
    assert pixels.mean().item() == pytest.approx(fashion.MEAN[0], abs=5e-5)
    assert pixels.std().item() == pytest.approx(fashion.STD[0], abs=5e-5)


def tiny(labels=(3, 1)):
    images = torch.arange(2 * 28 * 28).remainder(256).to(torch.uint8).view(2, 1, 28, 28)
    return Dataset(name="tiny", images=images, labels=torch.tensor(labels), ids=torch.arange(2), class_names=("a", "b"))


def test_a_batch_is_normalised_pixel_by_pixel():
    batch = tiny().batch(torch.tensor([1, 0, 1]), mean=(0.25,), std=(0.5,))
    assert batch.shape == (3, 1, 28, 28)
    assert batch.dtype == torch.float32
    for row, column in ((0, 0), (5, 9), (27, 27)):
        pixel = (784 + 28 * row + column) % 256
        assert batch[2, 0, row, column].item() == pytest.approx((pixel / 255 - 0.25) / 0.5, abs=1e-6)
        assert batch[1, 0, row, column].item() == pytest.approx(
            ((28 * row + column) % 256 / 255 - 0.25) / 0.5, abs=1e-6
        )


def test_a_mean_of_other_channels_is_refused():
    with pytest.raises(InputError, match=r"3 and 3 channels, the images have 1"):
        tiny().batch(torch.tensor([0]), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def test_the_digest_is_of_pixels_and_labels():
    raw = bytes(i % 256 for i in range(2 * 784)) + bytes([3, *[0] * 7, 1, *[0] * 7])
    assert tiny().digest == hashlib.sha256(raw).hexdigest()
    assert tiny(labels=(3, 2)).digest != tiny().digest


def test_an_unknown_split_is_refused():
    with pytest.raises(InputError, match=r"'train' .* one of test, calibration"):
        fashion.fashion_mnist("train")


def write_training_files(folder, *, images, labels):
    write_idx(folder / "train-images-idx3-ubyte.gz", np.zeros(images, dtype=np.uint8))
    write_idx(folder / "train-labels-idx1-ubyte.gz", np.array(labels, dtype=np.uint8))


@pytest.mark.parametrize(
    ("images", "labels", "fault"),
    [
        ((2, 28, 28), [1, 2, 3], "holds 2 images, .* 3 labels"),
        ((2, 28, 27), [1, 2], r"\(28, 27\) pixels"),
        ((2, 28, 28), [1, 10], "holds the label 10"),
        ((2, 28, 28), [1, 2], "does not hold Fashion-MNIST's training set"),  # as MNIST's files would not
    ],
)
def test_files_that_are_not_the_training_set_are_refused(images, labels, fault, tmp_path):
    write_training_files(tmp_path, images=images, labels=labels)
    with pytest.raises(InputError, match=fault):
        fashion.training_set(tmp_path)


def test_without_any_training_set_the_three_ways_are_named(tmp_path, monkeypatch):
    fashion.import_torchvision()
    import torchvision.datasets

    def no_network(*_args, **_options):
        raise OSError("no network")

    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", no_network)
    monkeypatch.setattr(fashion, "DEBIAN_FOLDER", tmp_path / "absent")
    with pytest.raises(InputError) as caught:
        fashion.training_set()
    for part in ("train-images-idx3-ubyte.gz", "dataset-fashion-mnist", "torchvision", "no network"):
        assert part in str(caught.value)
