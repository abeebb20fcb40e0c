"""Hardened modules exported, saved, loaded where only torch and the operators are, and compiled."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from radhard.deploy import Hardened, harden
from radhard.machine import Clean
from radhard.program import Apply, run
from radhard.protection import Protection, Ranges, Scheme, Tmr
from tests.support.hardened import ROWS, all_products
from tests.support.models import images, tiny_program

LOAD = """
import sys
{before}
import torch, radhard.kernels
module = torch.export.load("{folder}/model.pt2").module()
for name in ("five", "one"):
    images, logits = torch.load(f"{folder}/{{name}}.pt")
    assert torch.equal(module(images), logits), name
def counted():
    return torch.stack([buffer for name, buffer in module.named_buffers() if name.endswith(".events")])
counters = counted()
assert not counters[:, 3:].any() and counters[:, 0].all()
for name, buffer in module.named_buffers():
    if name == "{weight}":
        buffer[0, 0] ^= 64
images, logits = torch.load("{folder}/five.pt")
assert torch.equal(module(images), logits)
found = (counted() - counters).sum(0).tolist()
assert found[3] > 0 and found[5] == 1 and found[6] == 0, found
loaded = {{name.split(".")[0] for name in sys.modules}} | {{n for n in sys.modules if n.startswith("radhard.")}}
strange = loaded & {{"timm", "torchao", "torchvision", "radhard.program", "radhard.machine", "radhard.deploy"}}
assert not strange, strange
"""


def module_of() -> tuple[Hardened, Protection]:
    program = tiny_program("int8")
    schemes: dict[str, Scheme] = all_products(program).schemes | {"blocks.1.mlp.fc2": ROWS}
    for step in program.steps:
        if isinstance(step, Apply) and step.operator.name in {"softmax", "layer_norm"}:
            schemes[step.site.name] = Tmr()
        elif isinstance(step, Apply) and step.operator.name == "gelu":
            schemes[step.site.name] = Ranges(low=-9.0, high=90.0, outside="clamp")
    protection = Protection.of(schemes)
    return harden(program, protection), protection


def exported() -> torch.export.ExportedProgram:
    batch = torch.export.Dim("batch")
    return torch.export.export(module_of()[0], (images(2),), dynamic_shapes=({0: batch},))


def test_import_takes_torch_alone() -> None:
    code = (
        "import sys, torch, radhard.kernels\n"
        "print(sorted(m for m in sys.modules if m.startswith('radhard.') and not m.startswith('radhard.kernels')))\n"
        "assert not {'numba', 'timm', 'torchao', 'torchvision', 'scipy', 'pyarrow'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    repair = "'radhard.models', 'radhard.models.vision', "  # of torchvision, which `import radhard` sets up
    assert done.stdout.strip() == f"['radhard.errors', {repair}'radhard.words']"


@pytest.mark.parametrize("before", ["", "sys.modules['numba'] = None"], ids=["with numba", "without numba"])
def test_a_saved_module(tmp_path: Path, before: str) -> None:
    program, (module, protection) = tiny_program("int8"), module_of()
    for name, count in (("five", 5), ("one", 1)):
        logits = run(program, images(count), protection.on(Clean())).logits
        torch.save((images(count), logits), tmp_path / f"{name}.pt")
    torch.export.save(exported(), tmp_path / "model.pt2")
    (weight,) = (
        name for name, step in module.named_modules() if getattr(step, "columns", None) is not None
        and step.on_uncorrectable.site == "blocks.1.mlp.fc2"
    )  # fmt: skip
    code = LOAD.format(folder=tmp_path, before=before, weight=f"{weight}.weight")
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_compiled_module(backend: str) -> None:
    program, (module, protection) = tiny_program("int8"), module_of()
    compiled = torch.compile(module, backend=backend, dynamic=True, fullgraph=True)
    with torch.no_grad():
        for count in (5, 3):
            logits = run(program, images(count), protection.on(Clean())).logits
            if backend == "inductor":  # its float kernels may round otherwise, and a word differ by one
                torch.testing.assert_close(compiled(images(count)), logits, atol=0.3, rtol=0.1)
            else:
                assert torch.equal(compiled(images(count)), logits)
    assert module.counters[:, 0].all()
    assert not module.counters[:, 1:].any()
