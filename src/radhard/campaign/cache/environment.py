"""What else makes a result: the code of radhard and of the libraries, the processor, and settings of this process.

A program that was made in another environment is another entry of the cache, so that none is ever taken for another.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch

from radhard.version import VERSION

_BY_CONTENT = ("radhard", "timm", "torchvision", "torchao")
"""Packages whose files of Python are read: one that was changed in its place is another one."""
_BY_VERSION = ("numpy", "safetensors", "transformers")
_SETTINGS = ("ATEN_", "DNNL_", "MKL_", "ONEDNN_", "TIMM_", "TORCH_")


_IMPORTED = time.time()


def changing() -> bool:
    """Whether files of the packages have changed since this process began: it may run what they were before."""
    return any(path.stat().st_mtime > _began() for name in _BY_CONTENT for path in _files(name))


def environment() -> Mapping[str, object]:
    """Ready for JSON."""
    return {
        **_installed(),
        "processor": [platform.machine(), _processor(), torch.backends.cpu.get_cpu_capability()],
        "threads": torch.get_num_threads(),
        "default": [str(torch.get_default_dtype()), str(torch.get_default_device())],
        "flags": [
            torch.backends.mkldnn.enabled,
            torch.get_float32_matmul_precision(),
            torch.are_deterministic_algorithms_enabled(),
        ],
        "settings": {name: os.environ[name] for name in sorted(os.environ) if name.startswith(_SETTINGS)},
    }


@cache
def _installed() -> dict[str, object]:
    versions = {name: _version(name) for name in (*_BY_CONTENT, *_BY_VERSION)}
    return {
        "radhard": VERSION,
        "python": list(sys.version_info[:3]),
        "torch": [torch.__version__, torch.version.git_version],
        "versions": versions,
        "code": {name: _code(name) for name in _BY_CONTENT},
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _code(name: str) -> str:
    """SHA-256 of the paths and contents of a package's files of Python; "" where it is not installed."""
    state, paths = hashlib.sha256(), _files(name)
    for path in paths:
        content = path.read_bytes()
        state.update(f"{path} {len(content)} ".encode())
        state.update(content)
    return state.hexdigest() if paths else ""


@cache
def _files(name: str) -> list[Path]:
    """The files of Python of a package; none where it is not installed."""
    spec = importlib.util.find_spec(name)
    folders = [] if spec is None else spec.submodule_search_locations or []
    return [path for folder in folders for path in sorted(Path(folder).rglob("*.py"))]


@cache
def _began() -> float:
    """When this process began, seconds since 1970; where that is not known, when this file was imported."""
    try:
        ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return _IMPORTED


@cache
def _processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
