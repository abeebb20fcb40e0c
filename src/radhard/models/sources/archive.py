"""Checks a .pt2 file before it is loaded, since torch.export.load evaluates parts of it.

torch.export.load unpickles members of the archive, evaluates symbolic sizes and guards as Python text, imports what a
tree of outputs names, looks operators up by any dotted name below `torch`, and writes the graph's names into the
source of a function. Here each member is known or refused, nothing pickled is read but by torch's weights_only reader,
and every text of the graph is of a form that can only be a size, an operator or a name. What passed is written
into a new archive, which torch.export.load then reads.
"""

import ast
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from radhard.errors import ModelError
from radhard.models.sources.archive_tensors import TensorMeta, check_values, stored_tensors
from radhard.program.capture.user_code import first_line

if TYPE_CHECKING:
    from torch.export.pt2_archive import PT2ArchiveReader

_FORMAT = frozenset({"archive_format", "archive_version", "byteorder", ".data/version", ".data/serialization_id"})
_MODEL = "models/model.json"
_CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
_EXAMPLE = "data/sample_inputs/model.pt"
_PAYLOAD = re.compile(r"data/(weights/weight|constants/tensor)_\d+|extra/.+")
_RECORDS = frozenset({_MODEL, *_CONFIGS, _EXAMPLE})

_NAME = re.compile(r"[\w.+-]*", re.ASCII)  # names of values and parameters, dtypes, devices, versions
_FREE = frozenset({"metadata", "stack_trace", "as_string", "as_strings"})  # no text under these is evaluated
_BY_NAME = re.compile(r"\w+_values|range_constraints")  # below these the file's author chooses the keys
_TREES = frozenset({"in_spec", "out_spec"})
_TARGETS = frozenset({"target", "as_operator"})
_TREE_TYPES = re.compile(
    r"builtins\.(tuple|list|dict)|collections\.OrderedDict|transformers\.modeling_outputs\.\w+", re.ASCII
)

_NAMESPACES = frozenset({"aten", "prims", "quantized_decomposed", "torchao", "torchvision"})
_OVERLOAD = re.compile(r"torch\.ops\.(\w+)\.(\w+)\.(\w+)", re.ASCII)
_NO_OPERATORS = frozenset({"from_file"})  # it maps a file into memory, and can write to it
_SYMBOLIC = re.compile(r"torch\.(_?sym_\w+)|math\.(ceil|floor|trunc|sqrt)", re.ASCII)
_PYTHON = re.compile(
    r"_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|abs|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem|"
    r"lshift|rshift)"
)
_NODES = (
    *(ast.Expression, ast.Name, ast.Load, ast.Constant, ast.Call, ast.keyword, ast.BinOp, ast.UnaryOp, ast.Compare),
    *(ast.operator, ast.unaryop, ast.cmpop),
)
_FUNCTIONS = re.compile(
    r"Symbol|Integer|Float|Rational|Add|Mul|Pow|Max|Min|Abs|And|Or|Not|Eq|Ne|Lt|Le|Gt|Ge|Equality|Unequality|"
    r"Strict(Less|Greater)Than|(Less|Greater)Than|floor|ceiling|FloorDiv|ModularIndexing|Where|PythonMod|Mod|CleanDiv|"
    r"CeilDiv|(Ceil|Floor|Trunc|Round)ToInt|TruncToFloat|LShift|RShift|PowByNatural|FloatPow|(Float|Int)TrueDiv|"
    r"RoundDecimal|ToFloat|Identity"
)


@dataclass(frozen=True, kw_only=True)
class CheckedArchive:
    """An archive for torch.export.load, and what it says of the calls of modules, JSON as it stands there."""

    archive: io.BytesIO
    calls: str


def checked(path: Path) -> CheckedArchive:
    """A .pt2 file -> an archive of its checked members. ModelError names the member or text that was refused.

    Guards on inputs are left out: they are Python text, and a program takes no inputs but those that it is run for.
    """
    from torch.export.pt2_archive import PT2ArchiveReader, PT2ArchiveWriter  # which imports half of torch.compile

    try:
        reader = PT2ArchiveReader(str(path))
        names = reader.get_file_names()
    except Exception as error:  # torch's reader raises RuntimeError and AssertionError
        raise ModelError(
            f"{path} is not an archive that torch.export.save of torch 2.8 or later wrote, or is damaged: {error}"
        ) from error
    read = partial(_read, path, reader)
    if _MODEL not in names:
        raise ModelError(f"{path} holds no exported program named model: write it by torch.export.save(program, file)")
    buffer = io.BytesIO()
    with PT2ArchiveWriter(buffer) as writer:
        for name in sorted(set(names) - _FORMAT):
            writer.write_bytes(name, _member(path, name, read(name)))
    buffer.seek(0)
    graph = _object(path, _MODEL, read(_MODEL))
    lengths = {name: len(read(name)) for name in names if _PAYLOAD.fullmatch(name)}
    tensors: dict[str, TensorMeta] = {}
    for name in set(_CONFIGS).intersection(names):
        config = _object(path, name, read(name))
        tensors |= stored_tensors(path, name, config, lengths)
    check_values(path, graph, tensors)
    calls = json.dumps(graph["graph_module"].get("module_call_graph"))
    return CheckedArchive(archive=buffer, calls=calls)


def _read(path: Path, reader: "PT2ArchiveReader", name: str) -> bytes:
    """The bytes of a member. ModelError where they are not those that the archive's checksum says."""
    try:
        found: bytes = reader.read_bytes(name)
    except Exception as error:  # RuntimeError of a reader in C++
        raise ModelError(f"{path} is damaged: {name} cannot be read ({first_line(error)})") from error
    return found


def _member(path: Path, name: str, data: bytes) -> bytes:
    """The member's bytes as they may be read. ModelError for a member that is not known or not safe."""
    if name in _CONFIGS:
        config = _object(path, name, data)
        _check_payloads(path, name, config)
        return json.dumps(config).encode()
    if name == _MODEL:
        graph = _object(path, name, data)
        graph["guards_code"] = []
        _check(path, graph, place=name)
        return json.dumps(graph).encode()
    if name == _EXAMPLE:
        _check_example(path, data)
        return data
    if _PAYLOAD.fullmatch(name):
        return data
    raise _refused(path, f"it holds {name}, which is no part of an exported program alone")


def _check_payloads(path: Path, name: str, config: Mapping[str, Any]) -> None:
    """That every tensor of the config `name` is plain bytes in a member of its own."""
    folder = name.rpartition("/")[0]
    try:
        for key, entry in config["config"].items():
            if entry["use_pickle"] or not _PAYLOAD.fullmatch(f"{folder}/{entry['path_name']}"):
                raise _refused(path, f"{key} of {name} is a pickled object, not a plain tensor")
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is damaged: {name} lacks {error}") from error


def _check_example(path: Path, data: bytes) -> None:
    try:
        torch.load(io.BytesIO(data), weights_only=True)
    except Exception as error:  # UnpicklingError for code, others for damage: torch.export.load would run either
        raise _refused(path, f"its example input ({_EXAMPLE}) is pickled code or damaged: {error}") from error


def _object(path: Path, name: str, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: {name} is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} is damaged: {name} holds a {type(value).__name__}")
    return value


def _check(path: Path, value: Any, *, place: str, key: str = "") -> None:
    """Every text below `value`, by the key that it stands under."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if not _NAME.fullmatch(name):
                raise _refused(path, f"{place} has the name {name!r}, which is no name")
            if name not in _FREE or _BY_NAME.fullmatch(key) or not _is_text(part):
                _check(path, part, place=f"{place} {name}", key=name)
    elif isinstance(value, list):
        for part in value:
            _check(path, part, place=place, key=key)
    elif isinstance(value, str) and not _harmless(key, value):
        raise _refused(path, f"{place} is {value[:200]!r}, which may be code")


def _is_text(value: Any) -> bool:
    """Whether it is a text, or texts in a list or by key."""
    parts = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else [value]
    return all(isinstance(part, str) for part in parts)


def _harmless(key: str, text: str) -> bool:
    """Whether a text under that key can only be what it should."""
    if key == "expr_str":
        return _is_size(text)
    if key in _TREES:
        return _is_tree(text)
    if key in _TARGETS:
        return _is_operator(text) or (key == "target" and not text)
    return _NAME.fullmatch(text) is not None


def _is_size(text: str) -> bool:
    """Arithmetic over numbers, symbols and sympy's functions of sizes: no attributes, no other calls."""
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError, RecursionError):
        return False
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return (
        all(isinstance(node, _NODES) for node in nodes)
        and all(isinstance(call, ast.Name) and _FUNCTIONS.fullmatch(call.id) for call in calls)
        and all(re.fullmatch(r"[A-Za-z]\w*|[\d.e+-]+", part, re.ASCII) for part in texts)
        and not any(isinstance(node, ast.Name) and "__" in node.id for node in nodes)
    )


def _is_tree(text: str) -> bool:
    """A tree of tuples, lists, dicts and outputs of transformers, whose contexts are plain values."""
    if "__" in text:  # a context with __enum__ imports any module
        return False
    try:
        _protocol, tree = json.loads(text)
        specs = [tree]
        for spec in specs:
            if spec["type"] is not None and not _TREE_TYPES.fullmatch(spec["type"]):
                return False
            specs.extend(spec["children_spec"])
    except (ValueError, KeyError, TypeError):
        return False
    return True


def _is_operator(text: str) -> bool:
    """An overload of a known namespace, arithmetic of sizes, or `getitem`."""
    if _PYTHON.fullmatch(text) or _SYMBOLIC.fullmatch(text):
        return True
    found = _OVERLOAD.fullmatch(text)
    if found is None or found[1] not in _NAMESPACES or found[2] in _NO_OPERATORS:
        return False
    operator = getattr(getattr(getattr(torch.ops, found[1]), found[2], None), found[3], None)
    return operator is None or isinstance(operator, torch._ops.OpOverload)


def _refused(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"{path} was refused: {reason}. Loading it could run whatever its author wrote; export the model again by "
        "torch.export.save, or give its module as FILE.py:FUNCTION"
    )
