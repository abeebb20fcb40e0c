"""Files of images: arrays, pickles, binaries, IDX, tars, deep PNG and TIFF; each against what was written by hand."""

import gzip
import io
import os
import pickle
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radhard.errors import InputError
from radhard.models.data.dataset import Dataset
from radhard.models.data.decode import decode
from radhard.models.data.identity import identity
from radhard.models.data.layouts import list_data
from radhard.models.data.picture import Frame, open_image
from radhard.models.data.preprocessing import Preprocessing
from radhard.models.data.unpickle import read_pickle

RNG = np.random.default_rng(5)
X = RNG.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
Y = np.arange(12) % 10
PLANES = torch.from_numpy(np.ascontiguousarray(X.transpose(0, 3, 1, 2)))


def read(data: object, *, channels: int = 3, size: tuple[int, int] = (32, 32), **options: str) -> Dataset:
    listing = list_data(str(data), **options)
    frame = Frame(preprocessing=Preprocessing(size=size), channels=channels, mean=(0.5,) * channels)
    return decode(listing, range(listing.count), name="x", frame=frame)


def same(data: Dataset, *, images: torch.Tensor = PLANES, labels: object = Y) -> None:
    assert torch.equal(data.images, images)
    assert data.labels.tolist() == list(labels)
    assert len(set(data.ids.tolist())) == len(data)


def refused(data: object, match: str, **options: object) -> None:
    with pytest.raises(InputError, match=match) as caught:
        read(data, **options)
    assert "\n" not in str(caught.value)


# --- .npz and .npy ---


def test_medmnists_layout(tmp_path: Path) -> None:
    file = tmp_path / "blood.npz"
    parts = {"train_images": X[:6], "train_labels": Y[:6, None], "val_images": X[6:8], "val_labels": Y[6:8, None]}
    np.savez(file, **parts, test_images=X, test_labels=Y[:, None])
    same(read(file, split="test"))
    same(read(file, split="train"), images=PLANES[:6], labels=Y[:6])
    refused(file, "data blood.npz has the splits train, val, test: say which by split")
    assert read(file, split="val").ids.tolist() == [0, 1]


@pytest.mark.parametrize(
    "names", [("images", "labels"), ("x", "y"), ("arr_0", "arr_1"), ("data", "targets"), ("x_test", "y_test")]
)
def test_other_names_in_npz(names: tuple[str, str], tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", **{names[0]: X, names[1]: Y.astype(np.uint8)})
    same(read(tmp_path / "d.npz"))


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 1, 2)])
def test_npy_with_its_channels_first_or_last(axes: tuple[int, ...], tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", X.transpose(axes))
    np.save(tmp_path / "labels.npy", Y)
    (tmp_path / "labels.txt").write_text("\n".join(map(str, Y)))
    same(read(tmp_path / "images.npy", labels=str(tmp_path / "labels.npy")))
    same(read(tmp_path / "images.npy", labels=str(tmp_path / "labels.txt")))
    assert not read(tmp_path / "images.npy").labelled


@pytest.mark.parametrize(
    ("channels", "dtype"), [(1, np.uint8), (4, np.uint8), (12, np.uint16), (12, np.float32), (2, np.float64)]
)
def test_any_number_of_channels(channels: int, dtype: type, tmp_path: Path) -> None:
    images = (RNG.random((5, 9, 8, channels)) * (200 if np.dtype(dtype).kind == "u" else 1)).astype(dtype)
    np.savez(tmp_path / "d.npz", images=images, labels=np.zeros(5, int))
    data = read(tmp_path / "d.npz", channels=channels, size=(9, 8))
    expected = images.astype(np.float32) if np.dtype(dtype).kind == "f" else images
    assert np.array_equal(data.images.numpy(), expected.transpose(0, 3, 1, 2))
    scale = {"uint8": 255, "uint16": 65535}.get(np.dtype(dtype).name, 1)
    found = data.batch(torch.arange(5), mean=(0.25,) * channels, std=(0.5,) * channels)
    assert np.allclose(found.numpy(), (data.images.numpy().astype(np.float64) / scale - 0.25) / 0.5, atol=1e-6)


@pytest.mark.parametrize(("arrays", "match"), [
    ({"images": X, "labels": Y[:5]}, "12 images and 5 labels do not belong together"),
    ({"images": X, "labels": np.eye(12)}, "its labels are float64"),
    ({"images": X, "labels": np.eye(12, dtype=int)}, r"labels are int64 \[12, 12\]"),
    ({"images": X, "labels": Y - 1}, "has labels from -1 to 8"),
    ({"images": X.astype(np.int64), "labels": Y}, "its pixels are int64; save them as uint8"),
    ({"images": X.astype(np.float32) * np.nan, "labels": Y}, "NaN or infinite"),
    ({"images": X[0], "labels": Y}, "32 images and 12 labels"),
    ({"images": X[:, :, :, :2], "labels": Y}, "has no axis of 3 channels"),
    ({"images": X[:, :3], "labels": Y}, "does not tell which axis is that of 3 channels"),
    ({"images": X, "x": X}, "images and x can both be the images"),
    ({"weights": X}, "holds 1 array.s.: weights: name them images and labels"),
    ({"images": np.array([None] * 3), "labels": Y[:3]}, "cannot be read .*Object arrays"),
])  # fmt: skip
def test_arrays_that_cannot_be_meant(arrays: dict, match: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    refused(tmp_path / "d.npz", match)


def test_damaged_arrays(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", images=X, labels=Y)
    whole = (tmp_path / "d.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:-100])
    (tmp_path / "bent.npz").write_bytes(whole[:2000] + b"\0" * 500 + whole[2500:])
    np.save(tmp_path / "d.npy", X)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "d.npy").read_bytes()[:3000])
    (tmp_path / "text.npy").write_text("hello")
    for name in ("cut.npz", "bent.npz", "cut.npy", "text.npy"):
        refused(tmp_path / name, f"{name}.* cannot be read")


# --- CIFAR ---


def cifar(root: Path, *, protocol: int = 4, kind: int = 10) -> Path:
    root.mkdir(parents=True)
    flat = X.transpose(0, 3, 1, 2).reshape(len(X), -1)
    if kind == 10:
        batch = {b"data": flat, b"labels": Y.tolist(), b"batch_label": b"x", b"filenames": [b"a"] * len(X)}
        for name in ("data_batch_1", "data_batch_2", "test_batch"):
            (root / name).write_bytes(pickle.dumps(batch, protocol=protocol))
        (root / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}, protocol=protocol))
    else:
        batch = {"data": flat, "fine_labels": (Y * 9).tolist(), "coarse_labels": Y.tolist()}
        for name in ("train", "test"):
            (root / name).write_bytes(pickle.dumps(batch, protocol=protocol))
        (root / "meta").write_bytes(pickle.dumps({"fine_label_names": [f"c{n}" for n in range(100)]}))
    return root


@pytest.mark.parametrize("protocol", range(6))
def test_cifars_pickles(protocol: int, tmp_path: Path) -> None:
    root = cifar(tmp_path / "cifar-10-batches-py", protocol=protocol)
    for given in (root, tmp_path):
        data = read(given)
        same(data)
        assert data.class_names == tuple("abcdefghij")
    assert len(read(root, split="train")) == 24
    assert not read(root, labels="none").labelled
    refused(root, "bring their labels; leave it out", labels="x.csv")
    refused(root / "test_batch", "give CIFAR's folder")


def test_cifar_100_has_fine_labels(tmp_path: Path) -> None:
    data = read(cifar(tmp_path / "cifar-100-python", kind=100))
    same(data, labels=Y * 9)
    assert data.class_names[9] == "c9"


def test_cifars_binaries(tmp_path: Path) -> None:
    rows = X.transpose(0, 3, 1, 2).reshape(len(X), -1)
    (tmp_path / "ten").mkdir()
    (tmp_path / "ten" / "test_batch.bin").write_bytes(
        b"".join(bytes([y]) + row.tobytes() for y, row in zip(Y, rows, strict=True))
    )
    same(read(tmp_path / "ten"))
    (tmp_path / "hundred").mkdir()
    for name in ("train", "test"):
        content = b"".join(bytes([0, 9 * y]) + row.tobytes() for y, row in zip(Y, rows, strict=True))
        (tmp_path / "hundred" / f"{name}.bin").write_bytes(content)
    same(read(tmp_path / "hundred"), labels=Y * 9)
    (tmp_path / "ten" / "test_batch.bin").write_bytes(b"\0" * 3072)
    refused(tmp_path / "ten", "3,072 bytes, no whole records of 3073")


class Evil:
    def __init__(self, function, *arguments) -> None:
        self.parts = function, arguments

    def __reduce__(self):
        return self.parts


@pytest.mark.parametrize(("make", "match"), [
    (lambda mark: Evil(os.mkdir, mark), "posix.mkdir, which may run code"),
    (lambda mark: Evil(eval, f"__import__('os').mkdir({mark!r})"), "builtins?(__)?.eval"),
    (lambda mark: {"data": Evil(os.mkdir, mark), "labels": [1]}, "posix.mkdir"),
    (lambda _: {b"data": X.reshape(12, -1), b"labels": Evil(getattr, "a", "upper")}, "builtins?(__)?.getattr"),
    (lambda mark: {"data": np.array([Evil(os.mkdir, mark)], dtype=object)}, "posix.mkdir"),
    (lambda _: {"data": np.array([[None]], dtype=object), "labels": [1]}, "an array of O8?, not of numbers"),
    (lambda _: {"data": np.ones((1, 3072)), "labels": [1]}, "no data of uint8"),
    (lambda _: {"data": X.reshape(12, -1), "labels": [1]}, "12 images and labels that are not as many"),
    (lambda _: {"data": X.reshape(12, -1)}, "labels that are not as many"),
    (lambda _: [1, 2], "no data of uint8"),
])  # fmt: skip
def test_no_code_of_a_pickle_runs(make, match: str, tmp_path: Path) -> None:
    mark = str(tmp_path / "it-ran")
    for protocol in (0, 2, 4, 5):
        (tmp_path / "test_batch").write_bytes(pickle.dumps(make(mark), protocol=protocol))
        refused(tmp_path, match)
        assert not Path(mark).exists()


def test_pickles_by_hand(tmp_path: Path) -> None:
    texts = {
        b"cos\nsystem\n(S'mkdir " + str(tmp_path / "it-ran").encode() + b"'\ntR.": "os.system, which may run code",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.": "os.system",
        b"\x80\x02cnumpy\nload\n.": "numpy.load",
        b"Pid\n.": "points to something outside",
        b"": "cannot be read as a pickle .EOFError",
        b"\x80\x04" + b"(" * 50 + b"l" * 50: "cannot be read as a pickle",
        b"\x80\x04\x82\x01.": "cannot be read as a pickle",
        b"\x80\x04X\xff\xff\xff\x7fab.": "cannot be read as a pickle",
        b"\x80\x02cnumpy\nndarray\n)\x81(K\x01K\x02tb.": "cannot be read as a pickle",
    }
    for number, (text, match) in enumerate(texts.items()):
        path = tmp_path / f"{number}"
        path.write_bytes(text)
        with pytest.raises(InputError, match=match):
            read_pickle(path)
    assert not (tmp_path / "it-ran").exists()


# --- IDX and tars ---


@pytest.mark.parametrize("packed", [False, True])
def test_idx(packed: bool, tmp_path: Path) -> None:
    grey = X[:, :28, :28, 0]
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for stem, count in (("train", 5), ("t10k", 12)):
        images = struct.pack(">IIII", 2051, count, 28, 28) + grey[:count].tobytes()
        labels = struct.pack(">II", 2049, count) + Y[:count].astype(np.uint8).tobytes()
        for part, content in (("images-idx3", images), ("labels-idx1", labels)):
            path = raw / f"{stem}-{part}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)
    expected = torch.from_numpy(np.ascontiguousarray(grey))[:, None]
    for given in (tmp_path, raw):
        same(read(given, channels=1, size=(28, 28)), images=expected)
    same(read(raw, channels=1, size=(28, 28), split="train"), images=expected[:5], labels=Y[:5])
    file = next(raw.glob("t10k-images*"))
    same(read(file, channels=1, size=(28, 28)), images=expected)
    next(raw.glob("t10k-labels*")).unlink()
    assert not read(file, channels=1, size=(28, 28)).labelled


def test_idx_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t10k-images-idx3-ubyte")
    refused(tmp_path, "is no file that can be read to its end", channels=1)


def tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as opened:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    return path


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def test_webdataset(tmp_path: Path) -> None:
    for part in (0, 1):
        members: dict[str, bytes] = {"._x.png": b"mac"}
        for number in range(6 * part, 6 * part + 6):
            members[f"s/{number:04}.png"] = png(X[number])
            members[f"s/{number:04}.cls"] = f"{Y[number]}\n".encode()
            members[f"s/{number:04}.json"] = b"{}"
        tar(tmp_path / f"val-{part:04}.tar", members)
    data = read(tmp_path)
    same(data)
    assert data.names[7] == "val-0001.tar/s/0007.png"
    assert int(data.ids[7]) == identity("val-0001.tar/s/0007.png")
    assert "14 member(s) not read" in data.remarks[0]
    same(read(tmp_path / "val-0001.tar"), images=PLANES[6:], labels=Y[6:])
    tar(tmp_path / "train-0000.tar", {"a.png": png(X[0]), "a.cls": b"4"})
    same(read(tmp_path))
    same(read(tmp_path, split="train"), images=PLANES[:1], labels=[4])


@pytest.mark.parametrize(("members", "match"), [
    ({"a.png": b"", "a.jpg": b""}, "are two images of one key"),
    ({"a.png": b"", "a.cls": b"cat"}, "a.cls is no label"),
    ({"a.png": b"", "a.cls": b"1", "b.png": b""}, r"1 image\(s\) have no label"),
    ({"a.txt": b""}, "hold no image"),
])  # fmt: skip
def test_tars_that_cannot_be_meant(members: dict[str, bytes], match: str, tmp_path: Path) -> None:
    refused(tar(tmp_path / "x.tar", members), match)


def test_tars_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(gzip.compress(tar(tmp_path / "y.tar", {"a.png": b""}).read_bytes()))
    refused(tmp_path / "x.tar", "cannot be read as a tar .*unpack it if it is compressed")
    tar(tmp_path / "other.tar", {"a.png": b""})
    refused(tmp_path, "3 kinds of tars")


# --- deep PNG and TIFF ---


def deep_png(path: Path, array: np.ndarray, *, kind: int, filters: bytes = b"\0") -> Path:
    """uint16 [H, W, C] as a PNG of 16 bits, its lines filtered by hand."""
    height, width, channels = array.shape
    step = 2 * channels
    rows = array.astype(">u2").reshape(height, -1).view(np.uint8).reshape(height, -1).astype(int)
    lines = []
    for y, row in enumerate(rows):
        chosen = filters[y % len(filters)]
        out = []
        for x, value in enumerate(row):
            a = row[x - step] if x >= step else 0
            b = rows[y - 1][x] if y else 0
            c = rows[y - 1][x - step] if y and x >= step else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            out.append((value - (0, a, b, (a + b) // 2, paeth)[chosen]) % 256)
        lines.append(bytes([chosen, *out]))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)),
              (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b"")]  # fmt: skip
    packed = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    return path


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_png_of_16_bits_in_colour(kind: int, channels: int, tmp_path: Path) -> None:
    array = RNG.integers(0, 65536, (7, 5, channels), dtype=np.uint16)
    for filters in (b"\0", b"\1", b"\2", b"\3", b"\4", b"\4\1\3\2\0"):
        found = open_image(deep_png(tmp_path / "x.png", array, kind=kind, filters=filters))
        colours = {2: 3, 6: 3, 4: 1}[kind]  # transparency is dropped
        assert np.array_equal(found, array[:, :, :colours])
    raw = (tmp_path / "x.png").read_bytes()
    for damage in (raw[:-20], raw[:60] + b"\xff" + raw[61:]):
        (tmp_path / "y.png").write_bytes(damage)
        with pytest.raises(ValueError, match=r"cut short|damaged"):
            open_image(tmp_path / "y.png")


def tiff(path: Path, array: np.ndarray, *, order: str = "<", packing: int = 1, rows: int = 0, planar: int = 1,
         predictor: int = 1, tile: int = 0) -> Path:  # fmt: skip
    """[H, W, C] as a TIFF, written by hand: strips or tiles, together or in planes, deflated or not."""
    height, width, channels = array.shape
    planes = [array] if planar == 1 else [array[:, :, c : c + 1] for c in range(channels)]
    parts = []
    for plane in planes:
        if tile:
            padded = np.zeros((-(-height // tile) * tile, -(-width // tile) * tile, plane.shape[2]), array.dtype)
            padded[:height, :width] = plane
            parts += [padded[y : y + tile, x : x + tile] for y in range(0, height, tile) for x in range(0, width, tile)]
        else:
            parts += [plane[y : y + (rows or height)] for y in range(0, height, rows or height)]
    blocks = []
    for part in parts:
        values = np.diff(part, axis=1, prepend=part[:, :1] * 0) if predictor == 2 else part
        content = np.ascontiguousarray(values).astype(array.dtype.newbyteorder(order)).tobytes()
        blocks.append(zlib.compress(content) if packing == 8 else content)
    bits = array.dtype.itemsize * 8
    fields = {256: ("I", [width]), 257: ("I", [height]), 258: ("H", [bits] * channels), 259: ("H", [packing]),
              262: ("H", [1]), 277: ("H", [channels]), 284: ("H", [planar]), 317: ("H", [predictor]),
              339: ("H", [3 if array.dtype.kind == "f" else 1] * channels)}  # fmt: skip
    places = (324, 325) if tile else (273, 279)
    fields |= {322: ("I", [tile]), 323: ("I", [tile])} if tile else {278: ("I", [rows or height])}
    offsets, at = [], 8
    for block in blocks:
        offsets.append(at)
        at += len(block)
    fields |= {places[0]: ("I", offsets), places[1]: ("I", [len(block) for block in blocks])}
    entries, extra, beyond = b"", b"", at + 2 + 12 * len(fields) + 4
    for tag, (code, values) in sorted(fields.items()):
        content = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(content) > 4:
            entries += struct.pack(f"{order}HHII", tag, {"H": 3, "I": 4}[code], len(values), beyond + len(extra))
            extra += content
        else:
            entries += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[code], len(values)) + content.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    path.write_bytes(head + b"".join(blocks) + struct.pack(f"{order}H", len(fields)) + entries + b"\0" * 4 + extra)
    return path


@pytest.mark.parametrize("how", [
    {}, {"order": ">"}, {"rows": 3}, {"packing": 8}, {"planar": 2}, {"planar": 2, "rows": 4, "packing": 8},
    {"tile": 16}, {"tile": 16, "planar": 2, "packing": 8, "order": ">"}, {"predictor": 2, "packing": 8, "rows": 2},
])  # fmt: skip
@pytest.mark.parametrize(("dtype", "channels"), [(np.uint16, 3), (np.uint8, 12), (np.float32, 5)])
def test_tiff_of_many_channels(how: dict, dtype: type, channels: int, tmp_path: Path) -> None:
    if np.dtype(dtype).kind == "f":
        array = RNG.random((20, 19, channels)).astype(dtype)
        how = {**how, "predictor": 1}
    else:
        array = RNG.integers(0, np.iinfo(dtype).max, (20, 19, channels)).astype(dtype)
    found = open_image(tiff(tmp_path / "x.tif", array, **how))
    assert isinstance(found, np.ndarray)
    assert found.dtype == dtype
    assert np.array_equal(found, array)


def test_tiff_that_is_not_read(tmp_path: Path) -> None:
    array = RNG.integers(0, 99, (9, 9, 6)).astype(np.uint16)
    whole = tiff(tmp_path / "x.tif", array).read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[:8] + whole[400:])
    with pytest.raises(ValueError, match=r"damaged TIFF|cut short|not read"):
        open_image(tmp_path / "cut.tif")
    with pytest.raises(ValueError, match="with compression 5 and predictor 1; save it without"):
        open_image(tiff(tmp_path / "lzw.tif", array, packing=5))
    with pytest.raises(ValueError, match="its samples of"):
        open_image(tiff(tmp_path / "long.tif", array.astype(np.uint32)))


def test_a_folder_of_deep_pictures(tmp_path: Path) -> None:
    array = RNG.integers(0, 65536, (8, 8, 12), dtype=np.uint16)
    for label in ("a", "b"):
        (tmp_path / "val" / label).mkdir(parents=True)
    tiff(tmp_path / "val" / "a" / "x.tif", array)
    np.save(tmp_path / "val" / "b" / "y.npy", array[:, :, ::-1])
    data = read(tmp_path / "val", channels=12, size=(8, 8))
    assert np.array_equal(data.images[0].numpy(), array.transpose(2, 0, 1))
    assert np.array_equal(data.images[1].numpy(), array.transpose(2, 0, 1)[::-1])
    assert {form.mode for form in data.forms} == {"uint16 x 12"}
    np.save(tmp_path / "val" / "b" / "z.npy", array.astype(np.uint8))
    refused(
        tmp_path / "val", r"b/z.npy \(its pixels are torch.uint8, those before torch.uint16", channels=12, size=(8, 8)
    )
    np.save(tmp_path / "val" / "b" / "z.npy", np.array([{}]), allow_pickle=True)
    refused(tmp_path / "val", r"b/z.npy \(ValueError: Object arrays cannot be loaded", channels=12, size=(8, 8))
