"""Image classifiers of Hugging Face: `hf:NAME` of the hub, or a local folder with config.json.

Weights are read from safetensors, or from torch files without running code; a folder's own Python is never run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from radhard.errors import ModelError
from radhard.models.checkpoints.checkpoint import Checkpoint, check_numbers, read_checkpoint, stored_numbers
from radhard.models.checkpoints.finite import check_finite
from radhard.models.data.processor import read_processor
from radhard.models.data.tree import alike
from radhard.models.loaded import LoadedModel, Wanted, count_classes
from radhard.models.vision import import_transformers
from radhard.models.zoo import listed
from radhard.program.capture.user_code import first_line

_SAFE_FILES = ("*.json", "*.safetensors")
_PICKLES = "pytorch_model*.bin"


def from_hugging_face(wanted: Wanted) -> LoadedModel:
    """The classifier with its own weights, or the checkpoint's. ModelError says what the folder lacks or hides."""
    transformers = import_transformers()
    name = wanted.name.removeprefix("hf:")
    folder = Path(name) if Path(name).is_dir() else _downloaded(name)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} holds no config.json: give a folder that transformers' save_pretrained wrote")
    module, source = _build(transformers, folder, wanted)
    module = module.float().eval()
    check_finite(module, source=source)
    processor = read_processor(folder, config=module.config)
    shape = wanted.input_shape or processor.input_shape
    return LoadedModel(
        name=wanted.name,
        module=module,
        input_shape=shape,
        mean=processor.mean,
        std=processor.std,
        classes=count_classes(module, shape, name=wanted.name),
        weights=source,
        preprocessing=processor.preprocessing(shape),
        assumed=processor.assumed,
        class_names=_class_names(module.config),
    )


def _class_names(config: Any) -> tuple[str, ...]:
    """The names of the outputs by the model's configuration; empty where it has transformers' own, LABEL_0 ..."""
    known = getattr(config, "id2label", None) or {}
    names = tuple(str(known[number]) for number in sorted(known))
    plain = tuple(f"LABEL_{number}" for number in range(len(names)))
    return () if names == plain or len({alike(name) for name in names}) < len(names) else names


def _downloaded(name: str) -> Path:
    """The hub's model -> its folder in the local cache, with pickled weights only where there are no others."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, allow_patterns=list(_SAFE_FILES)))
        if not list(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(name, allow_patterns=[*_SAFE_FILES, _PICKLES]))
    except Exception as error:  # no network, no such model, no right to read it: a dozen types
        raise ModelError(
            f"hf:{name} is no local folder and could not be read from the hub ({type(error).__name__}: "
            f"{first_line(error)}). Without a network, give a local folder that holds config.json and *.safetensors"
        ) from error
    return folder


def _build(transformers: Any, folder: Path, wanted: Wanted) -> tuple[nn.Module, str]:
    """The module and where its weights are from. transformers puts them in itself: it knows older versions' keys."""
    auto = transformers.AutoModelForImageClassification
    safe, checkpoints, source = _weights(folder, wanted)
    options: dict[str, Any]
    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        if safe:
            where, options = folder, {"use_safetensors": True, "local_files_only": True, "trust_remote_code": False}
        else:
            empty = auto.from_config(config, trust_remote_code=False)
            auto, where = type(empty), None
            own = empty.state_dict()
            found = [checkpoint.state(own.keys()) for checkpoint in checkpoints]
            tensors = {key: value for state, _ in found for key, value in state.items()}
            check_numbers(tensors, own, source=source)
            source, options = (found[0][1] if wanted.checkpoint else source), {"state_dict": tensors}
        with _quiet(transformers):
            module, told = auto.from_pretrained(where, config=config, output_loading_info=True, **options)
        if safe:
            check_numbers(stored_numbers(folder.glob("*.safetensors")), module.state_dict(), source=source)
    except ModelError:
        raise
    except Exception as error:  # transformers raises ValueError, OSError, KeyError, ImportError ...
        raise ModelError(
            f"transformers cannot build an image classifier from {folder} with the weights of {source} "
            f"({type(error).__name__}: {first_line(error)}); code that comes with a model is never run"
        ) from error
    if told["missing_keys"] or told["mismatched_keys"]:
        wrong = sorted(map(str, (*told["missing_keys"], *told["mismatched_keys"])))
        raise ModelError(
            f"the weights in {source} are not all there, or of another shape: {listed(wrong)}. Is it a classifier?"
        )
    unused = sorted(told["unexpected_keys"])
    return module, source + (f", without the unused {listed(unused)}" if unused else "")


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Within it, transformers draws no progress bars: the command line draws its own."""
    bars = transformers.utils.logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


def _weights(folder: Path, wanted: Wanted) -> tuple[bool, list[Checkpoint], str]:
    """Whether transformers reads the folder's safetensors; else the files of weights; and where they are from."""
    if wanted.checkpoint is not None:
        return False, [read_checkpoint(wanted.checkpoint, key=wanted.checkpoint_key)], str(wanted.checkpoint)
    if list(folder.glob("*.safetensors")):
        return True, [], str(folder)
    files = sorted(folder.glob(_PICKLES))
    if not files:
        raise ModelError(
            f"{folder} holds no weights (*.safetensors or {_PICKLES}): give a file of weights by --checkpoint FILE"
        )
    return False, [read_checkpoint(file) for file in files], str(folder)
