"""Tests of the kernels for GPUs: on a GPU, or bit for bit on the CPU where Triton interprets them."""

from pathlib import Path

import pytest
import torch

from radhard.kernels.on_device import interpreted, kernels

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = ""
    if not torch.cuda.is_available() and not interpreted():
        missing = "no GPU, and TRITON_INTERPRET=1 is not set: `make test` runs these in a process of their own"
    elif kernels() is None:
        missing = 'Triton is not installed: pip install "radhard[cuda]"'
    for item in items:
        if HERE in item.path.parents and missing:
            item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture
def device() -> torch.device:
    """The GPU, or the CPU where kernels are interpreted."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
