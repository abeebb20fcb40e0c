"""Folders that can be read otherwise than their owner means: what is understood, and what is refused with the fix."""

import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radhard.errors import InputError
from radhard.models.data.classes import model_labels, named_labels, read_classes
from radhard.models.data.decode import decode
from radhard.models.data.folder import list_folder
from radhard.models.data.layouts import list_data
from radhard.models.data.picture import Frame
from radhard.models.data.preprocessing import Preprocessing
from radhard.models.data.split_names import split_of
from tests.support.pictures import noise, save

FRAME = Frame(preprocessing=Preprocessing(size=(8, 8)), channels=3, mean=(0.5,) * 3)


def picture(path: Path, *, seed: int = 0) -> Path:
    return save(Image.fromarray(noise(8, 8, seed=seed)), path)


def classes(root: Path, names: tuple[str, ...] = ("cat", "dog"), *, each: int = 2) -> Path:
    for place, name in enumerate(names):
        for number in range(each):
            picture(root / name / f"{number}.png", seed=100 * place + number)
    return root


def refused(data: Path, match: str, **options: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        list_data(str(data), **options)
    assert "\n" not in str(caught.value)


# --- what is understood ---


def test_what_was_understood_is_one_line(tmp_path: Path) -> None:
    listing = list_data(str(classes(tmp_path / "val")))
    assert listing.understood() == "val (class folders): 4 images, 2 classes: cat 2, dog 2; first cat/0.png"
    assert listing.remarks == ()


def test_a_name_that_breaks_lines_is_shown(tmp_path: Path) -> None:
    root = classes(tmp_path / "val")
    picture(root / "cat" / "a\nb.png")
    os.rename(root / "dog" / "0.png", os.fsencode(root / "dog") + b"/\xff.png")
    listing = list_folder(root)
    assert "\\n" in listing.label(listing.names.index("cat/a\nb.png"))
    assert any(listing.label(place) == "dog/\\udcff.png" for place in range(listing.count))
    assert len(decode(listing, range(listing.count), name="x", frame=FRAME)) == 5


# --- splits ---


def test_splits_are_not_classes(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    for number, split in enumerate(("train", "val", "test")):
        classes(root / split, each=number + 1)
    refused(root, "has the splits test, train, val: say which by split")
    assert list_data(str(root), split="validation").count == 4
    assert list_data(str(root), split="test").count == 6
    assert list_data(str(root), option="--calibration").count == 2  # train, where there are several
    refused(root, "split extra: data tree has the splits test, train, val", split="extra")
    shutil.rmtree(root / "test")
    assert list_data(str(root)).count == 4  # the one beside train
    assert list_data(str(root), split="none").class_names == ("train", "val")
    refused(root / "val", "split test: data val has no splits", split="test")


def test_a_vehicle_may_be_a_train(tmp_path: Path) -> None:
    assert list_data(str(classes(tmp_path, ("car", "plane", "train")))).class_names == ("car", "plane", "train")


def test_splits_beside_other_folders_must_be_said(tmp_path: Path) -> None:
    classes(tmp_path / "train")
    classes(tmp_path / "extra")
    refused(tmp_path, "1 folder.s. called like splits: train and 1 beside them: extra: if splits are meant")
    root = classes(tmp_path / "other", ("train", "test", "plane"))
    refused(root, "2 folder.s. called like splits")
    assert list_data(str(root), split="none").class_names == ("plane", "test", "train")


def test_sites_that_hold_the_same_classes_are_not_classes(tmp_path: Path) -> None:
    for site in ("berlin", "paris"):
        classes(tmp_path / site)
    refused(tmp_path, "2 folder.s.: berlin, paris, and in each the same folders cat, dog")
    assert list_data(str(tmp_path), split="none").class_names == ("berlin", "paris")


@pytest.mark.parametrize(("name", "split"), [
    ("Val", "validation"), ("val2017", "validation"), ("TRAIN", "train"), ("dev", "validation"), ("t10k", "test"),
    ("trainer", None), ("2017", None),
])  # fmt: skip
def test_names_of_splits(name: str, split: str | None) -> None:
    assert split_of(name) == split


# --- what systems leave ---


@pytest.mark.parametrize("name", [".git", "__MACOSX", ".ipynb_checkpoints", "@eaDir", "lost+found", "$RECYCLE.BIN",
                                  "System Volume Information", ".Trash-1000", "__pycache__"])  # fmt: skip
def test_system_folders_are_no_classes(name: str, tmp_path: Path) -> None:
    root = classes(tmp_path / "val")
    picture(root / name / "0.png", seed=7)
    picture(root / "cat" / name / "0.png", seed=8)
    picture(root / "cat" / "._0.png", seed=9)
    listing = list_folder(root)
    assert listing.class_names == ("cat", "dog")
    assert listing.names == ("cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png")
    assert "3 hidden or system file(s) and folder(s) passed by" in listing.remarks[-1]


# --- links, twice, special files ---


@pytest.mark.parametrize(
    ("link", "to"), [("cat/loop", ".."), ("cat/self", "."), ("bird", "cat"), ("cat/deep", "../dog")]
)
def test_links_that_lead_back_are_refused(link: str, to: str, tmp_path: Path) -> None:
    root = classes(tmp_path / "val")
    (root / link).symlink_to(to)
    refused(root, "read already, so that its images would be there twice; remove the link")


def test_links_that_lead_elsewhere_are_followed(tmp_path: Path) -> None:
    pool = classes(tmp_path / "pool")
    root = tmp_path / "val"
    (root / "a").mkdir(parents=True)
    (root / "a" / "x.png").symlink_to(pool / "cat" / "0.png")
    (root / "b").symlink_to(pool / "dog")
    assert list_folder(root).names == ("a/x.png", "b/0.png", "b/1.png")


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_one_file_under_two_labels_is_refused(link, tmp_path: Path) -> None:
    root = classes(tmp_path / "val")
    link(root / "cat" / "0.png", root / "dog" / "zero.png")
    refused(root, "cat/0.png and dog/zero.png are one file with two labels")


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "nothing", "folder"])
def test_special_files_are_told_and_never_waited_for(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = classes(tmp_path / "val")
    monkeypatch.chdir(root / "cat")
    if kind == "pipe":
        os.mkfifo("x.png")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind("x.png")
    elif kind == "folder":
        Path("x.png").mkdir()
        assert list_folder(root).count == 4
        return
    else:
        Path("x.png").symlink_to("/dev/zero" if kind == "device" else "nowhere")
    told = {
        "pipe": "it is a named pipe",
        "socket": "it is a socket",
        "device": "it is a device",
        "nothing": "No such file",
    }
    with pytest.raises(InputError, match=rf"1 of the 5 images of val cannot be read: cat/x.png \(.*{told[kind]}"):
        decode(list_folder(root), range(5), name="x", frame=FRAME)
    assert decode(list_folder(root), range(5), name="x", frame=FRAME, bad="skip").skipped == ("cat/x.png",)


def test_data_that_are_no_file_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data")
    refused(tmp_path / "data", "neither a folder nor a file that can be read to its end")
    refused(Path("/dev/zero"), "neither a folder nor a file")


# --- class folders ---


def test_a_folder_of_other_files_is_no_class(tmp_path: Path) -> None:
    root = classes(tmp_path / "val")
    (root / "annotations").mkdir()
    (root / "annotations" / "boxes.json").write_text("{}")
    refused(root, r"1 folder\(s\) that hold files but no image: annotations, and every folder beside classes is one")
    shutil.rmtree(root / "annotations")
    (root / "eel").mkdir()
    assert list_folder(root).class_names == ("cat", "dog", "eel")
    assert list_folder(root).remarks == ("val: 1 class folder(s) without an image: eel",)


@pytest.mark.parametrize(("names", "match"), [
    (("Cat", "cat"), "classes .Cat. and .cat. differ in case"),
    (("caf\u00e9", "cafe\u0301"), "differ in case, blanks or accents"),
    (("cat", "cat "), "differ in case, blanks"), (("0", "00", "1"), "two class folders are the number 0"),
    (("1", "01"), "two class folders are the number 1"),
])  # fmt: skip
def test_names_that_are_nearly_the_same_are_refused(names: tuple[str, ...], match: str, tmp_path: Path) -> None:
    refused(classes(tmp_path, names), match)


def test_numbers_that_are_not_0_to_k_must_be_said(tmp_path: Path) -> None:
    names = list_folder(classes(tmp_path / "d", tuple(map(str, range(1, 13))))).class_names
    with pytest.raises(InputError, match=r"the numbers 1, 10, 11, 12, ... in the order of text, not of numbers"):
        model_labels(names, classes=12, name="d")
    (tmp_path / "c.txt").write_text("\n".join(map(str, range(1, 13))) + "\n")
    found = named_labels(names, names=read_classes(tmp_path / "c.txt"), classes=12, name="d")
    assert [int(name) - 1 for name in names] == found
    assert model_labels(("08", "09", "10"), classes=3, name="d") == [0, 1, 2]
    assert model_labels(("1", "2", "3"), classes=3, name="d") == [0, 1, 2]


def test_a_file_of_classes_gives_their_outputs(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("dog\ncat\nbird\n")
    names = read_classes(tmp_path / "c.txt")
    assert named_labels(("cat", "dog"), names=names, classes=3, name="d") == [1, 0]
    for own, count, match in ((("cat",), 4, "names 3 classes, the model has 4"), (("eel",), 3, "does not name eel"),
                              ((), 3, "labels of data d are numbers")):  # fmt: skip
        with pytest.raises(InputError, match=match):
            named_labels(own, names=names, classes=count, name="d")
    (tmp_path / "c.txt").write_text("dog\ndog\n")
    with pytest.raises(InputError, match="'dog' is there twice"):
        read_classes(tmp_path / "c.txt")


def test_a_model_that_names_its_outputs_decides_the_order() -> None:
    outputs = ("Dog", "cat", "bird")
    assert model_labels(("cat", "dog"), classes=3, name="d", outputs=outputs) == [1, 0]
    assert model_labels(("a", "b", "c"), classes=3, name="d", outputs=outputs) == [0, 1, 2]
    with pytest.raises(InputError, match="the model has outputs called cat, as classes are, and none called eel, frog"):
        model_labels(("cat", "eel", "frog"), classes=3, name="d", outputs=outputs)


def test_images_beside_and_below_class_folders_are_told(tmp_path: Path) -> None:
    root = classes(tmp_path / "val")
    picture(root / "stray.png", seed=5)
    picture(root / "cat" / "deep" / "er" / "2.png", seed=6)
    listing = list_folder(root)
    assert listing.names[2] == "cat/deep/er/2.png"
    assert listing.remarks == (
        "val: 1 image(s) beside the class folders, not read: stray.png",
        "val: 1 folder(s) within class folders, read as part of the class: cat/deep/er",
    )


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = classes(tmp_path / "val")
    real = os.scandir

    def scandir(path: object):
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("radhard.models.data.tree.os.scandir", scandir)
    refused(root, r"folder dog cannot be read \(Permission denied\)")


def test_several_pictures_in_one_file_are_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(8, 8, seed=seed)) for seed in range(3)]
    for suffix in ("gif", "tif", "webp", "png"):
        path = tmp_path / "val" / "a" / f"x.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match=r"4 of the 4 images .*it holds 3 pictures; save each in a file of its own"):
        decode(list_folder(tmp_path / "val"), range(4), name="x", frame=FRAME)


# --- lists of labels ---


def flat(root: Path, text: str, *, name: str = "labels.csv", folder: str = "images", count: int = 4) -> Path:
    for number in range(count):
        picture(root / folder / f"{number}.png", seed=number)
    (root / name).write_text(text)
    return root


@pytest.mark.parametrize(("name", "text"), [
    ("labels.csv", "file,label\n0.png,3\n1.png,1\n2.png,4\n3.png,1\n"),
    ("labels.csv", "label,path\n3,images/0.png\n1,images/1.png\n4,images/2.png\n1,images/3.png\n"),
    ("labels.csv", '"image_id","width","target"\n"0","8","3"\n"1","8","1"\n"2","8","4"\n"3","8","1"\n'),
    ("labels.csv", "\ufeff0.png;3\r\n1.png;1\r\n2.png;4\r\n3.png;1\r\n"),
    ("val.txt", "0.png 3\n1.png 1\n\n2.png 4\n3.png 1\n"),
    ("labels.tsv", "filename\tclass\nimages\\0.png\t3\nimages\\1.png\t1\nimages\\2.png\t4\nimages\\3.png\t1\n"),
    ("labels.csv", "id,label\n0,3\n1,1\n2,4\n3,1\n"),
    ("val_annotations.txt", "0.png\t3\t0\t0\t7\t7\n1.png\t1\t0\t0\t7\t7\n2.png\t4\t0\t0\t7\t7\n3.png\t1\t0\t0\t7\t7\n"),
])  # fmt: skip
def test_lists_of_labels(name: str, text: str, tmp_path: Path) -> None:
    listing = list_data(str(flat(tmp_path / "d", text, name=name)))
    assert listing.names == tuple(f"images/{number}.png" for number in range(4))
    assert listing.labels == (3, 1, 4, 1)
    assert listing.class_names == ()
    assert f"(labels from {name}): 4 images, labels are numbers from 1 to 4, 3 of them" in listing.understood()
    assert decode(listing, [2, 0], name="x", frame=FRAME).labels.tolist() == [4, 3]
    assert list_data(str(tmp_path / "d" / name)).labels == (3, 1, 4, 1)


def test_labels_that_are_words_are_classes(tmp_path: Path) -> None:
    root = flat(tmp_path / "d", 'file,label\n0.png,"dog, small"\n1.png,cat\n2.png,eel\n3.png,cat\n')
    listing = list_data(str(root))
    assert listing.class_names == ("cat", "dog, small", "eel")
    assert listing.labels == (1, 0, 2, 0)


def test_what_a_list_does_not_name_and_what_is_not_there_is_told(tmp_path: Path) -> None:
    root = flat(tmp_path / "d", "0.png,1\n1.png,0\n9.png,1\n2.png,1\n")
    listing = list_data(str(root))
    assert listing.count == 4
    assert listing.remarks == ("d: 1 image(s) not in labels.csv, not read: images/3.png",)
    with pytest.raises(InputError, match=r"1 of the 4 images of d cannot be read: 9.png \(FileNotFoundError"):
        decode(listing, range(4), name="x", frame=FRAME)


@pytest.mark.parametrize(("text", "match"), [
    ("0.png,1\n0.png,2\n1.png,1\n2.png,1\n3.png,0\n", r"labels.csv, line 2: images/0.png is in line 1 already"),
    ("0.png,1\n1.png,\n2.png,1\n3.png,1\n", r"labels.csv, line 2: images/1.png has no label"),
    ("file,label\n0.png,1\n1.png\n", r"line 3: it has 1 column"),
    ("file,class,label\n0.png,cat,1\n", "do not tell one column of files and one of labels"),
    ("../../secret.png,1\n0.png,1\n", r"line 1: ../../secret.png leads out of"),
    ("x.png,1\ny.png,2\n", "none of its images is there: 2 listed: x.png, y.png"),
    ("", "no two columns"),
])  # fmt: skip
def test_lists_that_cannot_be_meant_are_refused(text: str, match: str, tmp_path: Path) -> None:
    root = flat(tmp_path / "d", text)
    refused(root, match, labels=str(root / "labels.csv"))


def test_a_list_that_is_no_file_and_a_split_of_a_list_are_refused(tmp_path: Path) -> None:
    root = flat(tmp_path / "d", "0.png,1\n1.png,0\n2.png,1\n3.png,0\n")
    refused(root, "split val: data d has no splits", split="val")
    for path in ("/dev/zero", str(tmp_path), str(tmp_path / "absent.csv")):
        refused(root, "there is no such file", labels=path)
        with pytest.raises(InputError, match="there is no such file"):
            read_classes(Path(path))


def test_a_list_and_folders_must_be_said(tmp_path: Path) -> None:
    root = tmp_path / "d"
    classes(root, ("part_1", "part_2"))
    (root / "labels.csv").write_text("".join(f"part_{p}/{n}.png,{n}\n" for p in (1, 2) for n in (0, 1)))
    refused(root, r"it has folders \(2 of images: part_1, part_2\) and lists of labels \(1 files: labels.csv\)")
    assert list_data(str(root), labels="folders").labels == (0, 0, 1, 1)
    assert list_data(str(root), labels=str(root / "labels.csv")).labels == (0, 1, 0, 1)
    assert set(list_data(str(root), labels="none").labels) == {-2}


def test_two_lists_must_be_said_and_those_of_splits_are_splits(tmp_path: Path) -> None:
    root = flat(tmp_path / "d", "0.png,1\n1.png,0\n", name="train.csv")
    (root / "test.csv").write_text("2.png,1\n3.png,0\n")
    assert list_data(str(root)).names == ("images/2.png", "images/3.png")
    assert list_data(str(root), split="train").names == ("images/0.png", "images/1.png")
    (root / "other.csv").write_text("0.png,1\n1.png,0\n2.png,1\n3.png,0\n")
    (root / "more.csv").write_text("0.png,1\n1.png,0\n2.png,1\n3.png,0\n")
    refused(root, r"lists of labels: .*say which by labels")


def test_images_alone_have_no_labels(tmp_path: Path) -> None:
    root = flat(tmp_path / "d", "nothing of labels\n", name="notes.txt")
    shutil.move(root / "images", tmp_path / "alone")
    listing = list_data(str(tmp_path / "alone"))
    assert listing.understood() == "alone (folder of images): 4 images, without labels; first 0.png"
    data = decode(listing, range(4), name="x", frame=FRAME)
    assert not data.labelled
    assert np.array_equal(data.labels.numpy(), [-2] * 4)
