"""What a measurement was made on."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

import torch

from benchmarks.gpu.journal import Record


def described(device: torch.device) -> Record:
    """The device's name, its driver, and the versions of what computes on it."""
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    for package in ("triton", "timm", "torchao", "numba"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "none"
    found: Record = {"device": name_of(device), "versions": versions, "cores": os.cpu_count()}
    if device.type == "cuda":
        driver = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=False,
        )
        found |= {"driver": driver.stdout.strip().split("\n")[0], "cuda": torch.version.cuda}
    return found


def name_of(device: torch.device) -> str:
    """`NVIDIA H100 80GB HBM3`, or the processor's kind where kernels are interpreted."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} processor, kernels interpreted"
