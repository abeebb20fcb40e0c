"""torchao is imported without its lines on parts that radhard does not use; whatever else is logged is seen."""

import logging
import subprocess
import sys

import pytest

from radhard.program.quantization.pt2e import import_pt2e


def test_nothing_is_said_by_a_first_import() -> None:
    text = "from radhard.program.quantization.pt2e import import_pt2e; print(import_pt2e('quantizer').__name__)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=300, check=True)
    assert (done.stdout, done.stderr) == ("torchao.quantization.pt2e.quantizer\n", "")


def test_what_else_is_logged_is_seen_and_the_filter_is_gone_afterwards(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger, known, other = logging.getLogger("torchao"), "Failed to load /x/_C.so: no", "a tensor subclass is old"

    def module(name: str) -> str:
        for line in (known, other):
            logger.warning(line)
        return name

    monkeypatch.setattr("importlib.import_module", module)
    assert import_pt2e() == "torchao.quantization.pt2e"
    assert caplog.messages == [other]
    logger.warning(known)
    assert caplog.messages == [other, known]
    assert logger.filters == []
