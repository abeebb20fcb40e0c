"""Exported programs: `FILE.pt2` as torch.export.save writes it, float or quantised by PT2E."""

import importlib
from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram

from radhard.errors import InputError, ModelError
from radhard.models.data.preprocessing import Preprocessing
from radhard.models.loaded import ImageShape, LoadedModel, Wanted, assumed_normalisation, check_size
from radhard.models.sources.archive import checked
from radhard.models.vision import import_torchvision, import_transformers
from radhard.models.zoo import listed

_QUANTISED = "torch.ao.quantization.fx._decomposed"  # importing it registers the operators that PT2E writes


def from_archive(wanted: Wanted) -> LoadedModel:
    """The program with its own weights, for the images that it was exported for. ModelError for what was refused."""
    path = Path(wanted.name)
    if not path.is_file():
        raise ModelError(f"model {wanted.name!r} is not a file: give a .pt2 file of torch.export.save")
    if wanted.checkpoint is not None:
        raise InputError(f"--checkpoint {wanted.checkpoint}: {path} holds its own weights; export it again with others")
    program = read_program(path)
    broken = [
        key
        for key, value in program.named_parameters()
        if value.is_floating_point() and not bool(value.isfinite().all())
    ]
    if broken:
        raise ModelError(f"the weights of {path} are not all finite: {listed(broken)}; export a model that is whole")
    shape, classes = shapes_of(program, path)
    if wanted.input_shape not in (None, shape):
        raise InputError(f"--input-shape {wanted.input_shape}: {path} was exported for images {list(shape)}")
    mean, std = assumed_normalisation(shape[0])
    return LoadedModel(
        name=wanted.name,
        module=program,
        input_shape=shape,
        mean=mean,
        std=std,
        classes=classes,
        weights=str(path),
        preprocessing=Preprocessing(size=shape[1:]),
        assumed=("mean", "std"),
    )


def read_program(path: Path) -> ExportedProgram:
    """A .pt2 file -> its program, every part checked before. ModelError for what is refused or cannot be read."""
    found = checked(path)
    importlib.import_module(_QUANTISED)
    import_torchvision()
    if "transformers." in found.calls:
        import_transformers()
        importlib.import_module("transformers.modeling_outputs")  # it registers the types of their models' outputs
    try:
        from torch.export.pt2_archive._package import load_pt2  # as torch.export.load, but errors keep their reasons

        return load_pt2(found.archive).exported_programs["model"]
    except Exception as error:  # torch raises SerializeError, AssertionError, KeyError ... on a damaged graph
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise ModelError(
            f"{path} cannot be read by torch {torch.__version__} ({type(error).__name__}: "
            f"{lines[-1].strip() if lines else 'no reason given'}); export it again with this version"
        ) from error


def shapes_of(program: ExportedProgram, path: Path | str) -> tuple[ImageShape, int]:
    """The one input's (C, H, W), and the number of classes."""
    inputs, outputs = program.graph_signature.user_inputs, program.graph_signature.user_outputs
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{path} takes {len(inputs)} inputs and returns {len(outputs)} values; a classifier takes images and "
            "returns logits"
        )
    images, logits = values.get(str(inputs[0])), values.get(str(outputs[0]))
    if not isinstance(images, Tensor) or images.ndim != 4 or not all(isinstance(n, int) for n in images.shape[1:]):
        raise ModelError(f"{path} takes no images [B, C, H, W] of one size C, H, W: export it for such")
    if not isinstance(logits, Tensor) or logits.ndim != 2 or not isinstance(logits.shape[1], int):
        raise ModelError(f"{path} returns no logits [B, classes]: export the classifier alone")
    channels, height, width = check_size((images.shape[1], images.shape[2], images.shape[3]), of=str(path))
    return (channels, height, width), logits.shape[1]
