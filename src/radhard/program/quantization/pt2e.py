"""The import of torchao's PT2E flow, without its warnings on parts that radhard does not use."""

import importlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_SAID = {
    "torchao": re.compile(r"Failed to load .*\.so: "),  # kernels for GPUs, built for another Python or without CUDA
    "torch.utils._pytree": re.compile(r"<enum '\w+'> is an Enum subclass and is now natively supported"),
}
"""By logger, what an import of torchao says on every machine without these kernels, whatever the user does."""


def import_pt2e(module: str = "") -> ModuleType:
    """`torchao.quantization.pt2e`, or a `module` within it, such as "quantizer". Whoever needs torchao calls this."""
    name = "torchao.quantization.pt2e"
    with _unsaid():
        return importlib.import_module(f"{name}.{module}" if module else name)


@contextmanager
def _unsaid() -> Iterator[None]:
    """Drop exactly the lines of `_SAID` while it lasts."""
    filters = {name: _Unless(said) for name, said in _SAID.items()}
    for name, each in filters.items():
        logging.getLogger(name).addFilter(each)
    try:
        yield
    finally:
        for name, each in filters.items():
            logging.getLogger(name).removeFilter(each)


class _Unless(logging.Filter):
    """Lets a line pass unless it begins like one that is known."""

    def __init__(self, said: re.Pattern[str]) -> None:
        super().__init__()
        self._said = said

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is shown."""
        return self._said.match(record.getMessage()) is None
