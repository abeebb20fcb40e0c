"""Folders of image files: one folder per class, a list of labels, or no labels."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath

from radhard.errors import InputError, shown
from radhard.models.data.labelled import LISTS, lists_images, read_list
from radhard.models.data.listing import UNLABELLED, Listing, Open
from radhard.models.data.picture import SUFFIXES, Picture, open_image
from radhard.models.data.split_names import NONE, choose, no_splits, split_of
from radhard.models.data.tree import Tree, alike, few, walk

FOLDERS = "folders"
"""What `labels` says where class folders hold the labels, whatever lists lie beside them."""


def list_folder(root: Path, *, split: str | None = None, labels: str | None = None, option: str = "--split") -> Listing:
    """The images below `root`: of class folders, of a list of labels, or with labels None where neither is there.

    `labels` is "folders", "none" or a list's path. Class folders in sorted order give the label; where their names are
    exactly the numbers 0 ... K - 1, the number is the label (`10` comes after `9`). Folders that are called like
    splits are splits, of which `split` chooses, unless it is "none". What is passed by is told in `remarks`. Raises
    InputError where there is no image and for what cannot be meant, with the fix.
    """
    if not root.is_dir():
        raise InputError(f"data {root}: there is no such folder; give one with a folder of images for each class")
    tree = walk(root)
    images = [path for path in tree.files if _is_image(path)]
    if not images:
        raise InputError(
            f"data {root}: no image ({', '.join(SUFFIXES)}) in it or in its {len(_classes(tree))} class folders; give "
            "a folder with a folder of images for each class"
        )
    if labels == NONE:
        no_splits(split, name=root.resolve().name, option=option)
        return _unlabelled(root, tree, images)
    if labels not in (None, FOLDERS):
        no_splits(split, name=root.resolve().name, option=option)
        return _from_list(root, Path(labels), tree=tree, images=images)
    splits = {} if split == NONE else _splits(root, images)
    if splits:
        _own, folder = choose(splits, split, name=root.resolve().name, option=option)
        return list_folder(root / folder, labels=labels)
    lists = [] if labels == FOLDERS else _lists(root, tree=tree, images=images, split=split, option=option)
    inside = {path.split("/", 1)[0] for path in images if "/" in path}
    beside = [path for path in images if "/" not in path]
    if lists and (len(inside) < 2 or not beside):
        if len(inside) > 1:
            raise InputError(
                f"data {root}: it has folders ({few(sorted(inside), 'of images')}) and lists of labels "
                f"({few(lists, 'files')}): say which is meant, --labels {root / lists[0]} or --labels {FOLDERS}"
            )
        if len(lists) > 1:
            raise InputError(f"data {root}: {few(lists, 'lists of labels')}; say which by --labels {root / lists[0]}")
        return _from_list(root, root / lists[0], tree=tree, images=images)
    no_splits(split, name=root.resolve().name, option=option)
    if not inside:
        return _unlabelled(root, tree, images)
    return _of_classes(root, tree, images=images, split=split)


def _unlabelled(root: Path, tree: Tree, images: Sequence[str]) -> Listing:
    others = [path for path in tree.files if not _is_image(path)]
    told = [f"{root.resolve().name}: {few(others, 'file(s) not read, as they are no images')}"] if others else []
    found = dict.fromkeys(images, UNLABELLED)
    return _listing(root, found, (), layout="folder of images", remarks=(*told, *_passed(tree)))


def _of_classes(root: Path, tree: Tree, *, images: Sequence[str], split: str | None) -> Listing:
    names = _in_order(root, _classes(tree))
    _check_level(root, images, split=split)
    label_of = {name: label for label, name in enumerate(names)}
    found = {path: label_of[path.split("/", 1)[0]] for path in images if "/" in path}
    others = [path for path in tree.files if not _is_image(path)]
    full = {path.split("/", 1)[0] for path in found}
    strange = [name for name in names if name not in full and any(path.startswith(f"{name}/") for path in others)]
    if strange:
        raise InputError(
            f"data {root}: {few(strange, 'folder(s) that hold files but no image')}, and every folder beside classes "
            f"is one: move it away or convert its files ({', '.join(SUFFIXES)}); without labels: --labels {NONE}"
        )
    _check_once(root, found, tree=tree)
    deep = sorted({str(PurePosixPath(path).parent) for path in found if path.count("/") > 1})
    beside = [path for path in images if "/" not in path]
    told = (
        (others, "file(s) not read, as they are no images in a class folder"),
        (beside, "image(s) beside the class folders, not read"),
        ([name for name in names if name not in full], "class folder(s) without an image"),
        (deep, "folder(s) within class folders, read as part of the class"),
    )
    remarks = [f"{root.resolve().name}: {few(found_, what)}" for found_, what in told if found_]
    return _listing(root, found, names, layout="class folders", remarks=(*remarks, *_passed(tree)))


def _from_list(root: Path, path: Path, *, tree: Tree, images: Sequence[str]) -> Listing:
    """The images that a list names. Labels that are numbers are the model's outputs; others are names of classes."""
    listed = read_list(path, images=images, root=root)
    remarks = (
        [f"{root.resolve().name}: {few(listed.unlisted, f'image(s) not in {path.name}, not read')}"]
        if listed.unlisted
        else []
    )
    names: tuple[str, ...] = ()
    if all(label.isdecimal() for label in listed.labels):
        numbers = [int(label) for label in listed.labels]
    else:
        names = tuple(sorted(set(listed.labels)))
        _check_alike(root, names)
        numbers = [names.index(label) for label in listed.labels]
    found = dict(sorted(zip(listed.files, numbers, strict=True)))
    _check_once(root, found, tree=tree)
    return _listing(root, found, names, layout=f"labels from {path.name}", remarks=(*remarks, *_passed(tree)))


def _listing(
    root: Path, found: Mapping[str, int], names: Sequence[str], *, layout: str, remarks: Sequence[str]
) -> Listing:
    files = tuple(found.items())
    return Listing(
        name=root.resolve().name,
        origin=str(root.resolve()),
        count=len(files),
        class_names=tuple(names),
        names=tuple(found),
        labels=tuple(found.values()),
        read=partial(_read, root, files),
        layout=layout,
        remarks=tuple(remarks),
    )


def _classes(tree: Tree) -> list[str]:
    return [path for path in tree.folders if "/" not in path]


def _in_order(root: Path, names: Sequence[str]) -> tuple[str, ...]:
    """The class folders in the order of their labels. InputError for two that can be told apart by nobody."""
    _check_alike(root, names)
    if not all(name.isascii() and name.isdecimal() for name in names):
        return tuple(sorted(names))
    by_number = sorted(names, key=int)
    twice = [name for name, after in pairwise(by_number) if int(name) == int(after)]
    if twice:
        raise InputError(
            f"data {root}: two class folders are the number {int(twice[0])} (one is {twice[0]}); merge or rename them"
        )
    exact = set(names) == {str(number) for number in range(len(names))}
    return tuple(by_number if exact else sorted(names))


def _check_alike(root: Path, names: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for name in names:
        if alike(name) in first:
            raise InputError(
                f"data {root}: classes {first[alike(name)]!r} and {name!r} differ in case, blanks or accents alone; "
                "make them one"
            )
        first[alike(name)] = name


def _check_once(root: Path, found: Mapping[str, int], *, tree: Tree) -> None:
    """Raise InputError for one file under two labels, by a link."""
    first: dict[tuple[int, int], str] = {}
    for path, label in found.items():
        inode = tree.inode.get(path)
        if inode is None:
            continue
        other = first.setdefault(inode, path)
        if found[other] != label:
            raise InputError(
                f"data {root}: {shown(other)} and {shown(path)} are one file with two labels; remove one of the links"
            )


def _check_level(root: Path, images: Sequence[str], *, split: str | None) -> None:
    """Raise InputError where each of several folders holds the same folders of images: those may be the classes."""
    if split == NONE or any(path.count("/") == 1 for path in images):
        return
    inner: dict[str, set[str]] = {}
    for path in images:
        parts = path.split("/")
        if len(parts) > 2:
            inner.setdefault(parts[0], set()).add(parts[1])
    same = list(inner.values())
    if same and len(same[0]) > 1 and all(each == same[0] for each in same):
        folders = ", ".join(map(shown, sorted(same[0])[:3]))
        first = sorted(inner)[0]
        raise InputError(
            f"data {root}: {few(sorted(inner), 'folder(s)')}, and in each the same folders {folders}, ...: if these "
            f"are the classes, give --data {root / first}; if the upper ones are, --split {NONE}"
        )


def _splits(root: Path, images: Sequence[str]) -> dict[str, str]:
    """Folders called like splits, where they are splits: no other folder has images, or several are called so."""
    top = {path.split("/", 1)[0] for path in images if "/" in path}
    named = {name: name for name in sorted(top) if split_of(name) is not None}
    rest = sorted(top - set(named))
    if not named or any("/" not in path for path in images):
        return {}
    if not rest:
        return named
    deeper = all(path.count("/") > 1 for path in images if path.split("/", 1)[0] in named)
    if len(named) > 1 or deeper:
        raise InputError(
            f"data {root.resolve().name} has {few(list(named), 'folder(s) called like splits')} and "
            f"{few(rest, 'beside them')}: if splits are meant, give the folder of one as --data; if all of them are "
            f"classes, --split {NONE}"
        )
    return {}


def _lists(root: Path, *, tree: Tree, images: Sequence[str], split: str | None, option: str) -> list[str]:
    """The lists of labels that lie in the folder itself; of several called like splits the wanted one."""
    names = [path for path in tree.files if "/" not in path and path.lower().endswith(LISTS)]
    named = {PurePosixPath(name).stem.split("_")[0]: name for name in names}
    if len(named) > 1 and len(named) == len(names) and all(split_of(stem) for stem in named):
        return [choose(named, split, name=root.resolve().name, option=option)[1]]
    found = [name for name in names if lists_images(root / name, images=images, root=root)]
    if found:
        no_splits(split, name=root.resolve().name, option=option)
    return found


def _passed(tree: Tree) -> list[str]:
    return [few(tree.passed, "hidden or system file(s) and folder(s) passed by")] if tree.passed else []


def _is_image(path: str) -> bool:
    return path.lower().endswith(SUFFIXES)


def _read(root: Path, files: tuple[tuple[str, int], ...], places: Sequence[int]) -> Iterator[tuple[int, Open]]:
    for place in places:
        yield place, partial(_open, root / files[place][0], files[place][1])


def _open(path: Path, label: int) -> tuple[Picture, int]:
    return open_image(path), label
