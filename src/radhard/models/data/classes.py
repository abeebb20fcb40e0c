"""Maps the classes of a data set to the outputs of a model."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from radhard.errors import InputError
from radhard.models.data.tree import alike
from radhard.models.vision import import_timm

_SYNSET = re.compile(r"n\d{8}")


def model_labels(
    class_names: Sequence[str], *, classes: int, name: str, outputs: Sequence[str] = ()
) -> list[int] | None:
    """The names of a data set's classes -> the output of the model for each; None where names are not known.

    Where the model states the names of its `outputs`, and they are the data set's, these decide. ImageNet's synsets
    (n01440764 ...) are found by name where timm knows a subset of ImageNet with as many `classes` as the model has. Of
    either some of the classes are enough. Else there must be exactly as many as the model has, and their order decides.
    InputError where the labels cannot be the model's.
    """
    if not class_names:
        return None
    place = {alike(output): number for number, output in enumerate(outputs)}
    known = [own for own in class_names if alike(own) in place]
    if known and len(known) == len(class_names):
        return [place[alike(own)] for own in class_names]
    if known and not all(own.isdecimal() for own in known):
        strange = [own for own in class_names if own not in known]
        raise InputError(
            f"data {name}: the model has outputs called {', '.join(known[:3])}, as classes are, and none called "
            f"{', '.join(strange[:3])}: make the names alike, or name each output's class by --classes FILE"
        )
    if all(_SYNSET.fullmatch(known) for known in class_names):
        import_timm()
        import timm.data

        subset = timm.data.infer_imagenet_subset({"num_classes": classes})
        if subset is not None:
            return _synset_labels(class_names, timm.data.ImageNetInfo(subset), subset=subset, name=name)
    if all(known.isdecimal() for known in class_names) and list(class_names) != sorted(class_names, key=int):
        raise InputError(
            f"data {name}: classes are the numbers {', '.join(class_names[:4])}, ... in the order of text, not of "
            "numbers: say which output each is by --classes FILE, one name a line"
        )
    if len(class_names) != classes:
        shown = ", ".join(class_names[:5]) + (", ..." if len(class_names) > 5 else "")
        raise InputError(
            f"data {name} has {len(class_names)} classes ({shown}), the model {classes}: its labels are not the "
            "model's. Give the folder whose folders are the classes (of ImageNet the one that holds n01440764 ...), "
            "one folder for every class, be it empty; or a model of these classes"
        )
    return list(range(classes))


def read_classes(path: Path) -> list[str]:
    """A file with the name of a class in each line -> the names, in the order of a model's outputs."""
    if not path.is_file():
        raise InputError(f"--classes {path}: there is no such file; write a class in each line of one")
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--classes {path} cannot be read as text ({error}); write a class in each line") from error
    names = [name for name in names if name]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"--classes {path}: {twice[0]!r} is there twice; name each output's class once")
    return names


def named_labels(class_names: Sequence[str], *, names: Sequence[str], classes: int, name: str) -> list[int]:
    """The outputs of the classes of a data set, from the `names` of all outputs. InputError for one that has none."""
    if len(names) != classes:
        raise InputError(f"--classes names {len(names)} classes, the model has {classes} outputs; name each of them")
    if not class_names:
        raise InputError(f"--classes: the labels of data {name} are numbers, the model's outputs; leave it out")
    unknown = [known for known in class_names if known not in names]
    if unknown:
        raise InputError(f"--classes: it does not name {', '.join(unknown[:5])}, which data {name} has as classes")
    return [names.index(known) for known in class_names]


def check_labels(labels: Tensor, *, classes: int, name: str) -> None:
    """`labels` int64 [N]. InputError for one that the model has no output for."""
    wrong = labels[(labels < 0) | (labels >= classes)]
    if len(wrong):
        raise InputError(
            f"data {name} has the label {int(wrong[0])}, the model {classes} classes, 0 to {classes - 1}: take a model "
            "that was trained for these data"
        )


def _synset_labels(class_names: Sequence[str], info: Any, *, subset: str, name: str) -> list[int]:
    output_of = {synset: place for place, synset in enumerate(info.label_names())}
    unknown = [synset for synset in class_names if synset not in output_of]
    if unknown:
        raise InputError(
            f"data {name}: {len(unknown)} of its {len(class_names)} class folders are no classes of {subset}, the "
            f"model's {len(output_of)} outputs: {', '.join(unknown[:5])}; leave these folders out"
        )
    return [output_of[synset] for synset in class_names]
