"""The rules of the house that a machine can check."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import radhard

SOURCE = Path(radhard.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
PACKAGES = [
    "radhard.deploy",
    "radhard.faults",
    "radhard.machine",
    "radhard.operators",
    "radhard.kernels",
    "radhard.program",
    "radhard.protection",
]

# a generator that nobody passed: torch's, NumPy's and Python's own
GLOBAL = re.compile(
    r"torch\.(?:cuda\.)?manual_seed|np\.random\.(?!default_rng|Generator|SeedSequence|Philox)\w+|"
    r"^\s*(?:import random\b|from random import)|\.(?:normal_|uniform_|bernoulli_|random_)\(\)",
    re.MULTILINE,
)
DRAWS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}


def global_draws(text: str) -> list[str]:
    """What in a source text draws from a global generator."""
    found = GLOBAL.findall(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DRAWS:
            owner = node.func.value
            if (
                isinstance(owner, ast.Name)
                and owner.id == "torch"
                and "generator" not in {k.arg for k in node.keywords}
            ):
                found.append(f"torch.{node.func.attr} in line {node.lineno}")
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng") and not node.args:
            found.append(f"default_rng() in line {node.lineno}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_global_randomness(path: Path) -> None:
    assert global_draws(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "torch.manual_seed(0)",
        "x = torch.rand(3)",
        "np.random.seed(1)",
        "import random",
        "np.random.default_rng()",
        "x.normal_()",
    ],
)
def test_the_rule_sees_what_it_must(line: str) -> None:
    assert global_draws(line)
    assert not global_draws("torch.rand(3, generator=g); np.random.default_rng(3); torch.Generator().manual_seed(1)")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_what_a_package_exports(name: str) -> None:
    package = importlib.import_module(name)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    public = {key for key in vars(package) if not key.startswith("_")}
    tree = ast.parse(Path(package.__file__).read_text())
    imported = {
        alias.asname or alias.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for alias in n.names
    }
    assert set(package.__all__) == imported
    assert set(package.__all__) - modules <= public
    assert public - modules - imported == set()
    assert package.__all__ == sorted(package.__all__, key=lambda key: (not key.isupper(), not key[0].isupper(), key))


TESTS = Path(__file__).parent
BESIDE = {"benchmarks", "cuda", "docs", "reference", "support"}
"""Folders of tests that are of no package."""

SAME = {
    "avf": "AVFs: their statistics, their table, the verb, the command",
    "sample_size": "how many injections an interval takes: the formula, the table, the verb, the command",
    "fit": "failure rates of an accelerator: the verb, and the command",
    "folder": "a folder: of the cache, of images",
    "errors": "what goes wrong: of all, and of saved programs",
    "cache": "what is kept between runs: held, shown, and the command",
    "affine": "8-bit words and the numbers they stand for: the grid, and a quantised graph",
    "anatomy": "what a program computes: found, and shown",
    "archive": "a .pt2 file: written, and checked before it is loaded",
    "block_sizes": "sizes of LB-ABFT's blocks for the products of a model: the verb, and the figure",
    "blocks": "blocks of a matrix product: priced, and shown",
    "claims": "what speaks for a layer or module of a site; what the paper claims: judged, and shown",
    "chains": "chains of running sums: with flips, on faulty hardware, in memory, on a GPU",
    "configurations": "configurations of a model: their outcomes, and how they are measured",
    "conv2d": "a convolution: its operator, and its kernel",
    "convolution": "a convolution's product: on the CPU, and on a GPU",
    "coverage": "what became of each node of an exported graph: found, and shown",
    "curve": "accuracy over the bit error rate: from outcomes, and as a figure",
    "elementwise": "operators word by word: defined, and on a GPU",
    "factors": "vulnerability factors: found for a plan or a study, and shown",
    "frontier": "the steps of a plan: as a figure, and on the page",
    "fused": "operators that become one: when computed, and when quantised",
    "harden": "from a plan to a module, and its command",
    "image_export": "outcomes image by image: written by the verb, and the command",
    "inspection": "what a model computes: the verb, and the command",
    "interpreter": "an operator's definition read with flips: on the CPU, and on a GPU",
    "linear": "a linear layer: its operator, and its kernel",
    "memory": "words in memory that flip: lines of bits, and a fault model of commands",
    "matmul": "products of activations: the operator, and its kernel",
    "merge": "stores put together, and the command",
    "options": "what a user can say: to a verb, on the command line, to a scheme",
    "ordering": "the order of products: measured, and decided",
    "patches": "patches of an image: traced, exposed, and drawn",
    "plan": "a plan, its command, and its table",
    "products": "matrix products: lowered, protected, planned, deployed, on a GPU",
    "progress": "how far a run is: told by a verb, and on the page",
    "protected": "a protected machine, and a protected module",
    "quantize": "scales and integer programs, and the command",
    "ranges": "values compared with bounds: a scheme, and its kernel",
    "record": "results as JSON: of all, and of configurations",
    "fault_amount": "how much is hit: as a verb is told, and as tables tell it",
    "registry": "what registers itself by being in a folder: schemes, the modules of their forms, fault models",
    "repair": "rows that do not add up: on the CPU, and on a GPU",
    "replay": "a trace run again, and the command",
    "schema": "what a file must be: a store, a plan",
    "study": "a study: its file, the verb, its record, and the command",
    "store": "the store, and the command that looks into one",
    "struck": "units that flips hit, on a GPU: which they are, and the kernels",
    "reproduce": "the paper's figures and claims: the verb, and the command",
    "sweep": "a sweep's result, the verb, and the command",
    "table": "tables for the terminal: of all, and of configurations",
    "trace": "a table of flips: its file, the verb, and the command",
    "train": "training, and the command",
    "vulnerability": "vulnerability factors: computed, measured, drawn, and the command",
    "words": "words: what they are, and on a GPU",
    "zoo": "the models that are shipped: listed, shown, and the command",
}
"""File names that stand twice, for one concept at several levels: which it is."""


ALIKE = {
    "Pace": "how long an image takes: of a reproduction, and of a study",
    "Study": "a study: of vulnerability factors, and the whole one of a model",
    "Bools": "arrays of booleans",
    "Bound": "what ended the choice of a plan; a plan's file has none of it where nothing was chosen",
    "By": "what a program's sites are told apart by",
    "Column": "arrays of int64, one entry a flip, fault or image",
    "Counts": "arrays of int64, one count an image or trial",
    "Factors": "the two factors of a product with their sums: on the CPU, and on a GPU",
    "NumpyArray": "any array of NumPy",
    "Read": "how a GPU kernel reads words of 8 bits: a tensor of an operator, and its numbers alone",
    "Strategy": "how a plan is chosen; a plan's file has none of it where nothing was chosen",
    "TargetVerdict": "whether a plan meets its target; a plan's file has none of it where nothing was judged",
    "Variant": "what a GPU kernel is compiled for",
}
"""Names of classes and types that stand twice, for one concept at several levels: which it is."""


LOOSE = {"Move.options": "keyword arguments of a call of a function of torch's"}
"""Fields that hold anything, and why."""


def test_a_file_name_has_one_meaning() -> None:
    stems = [path.stem for path in FILES if not path.stem.startswith("__")]
    twice = {stem for stem in stems if stems.count(stem) > 1}
    assert twice - SAME.keys() == set()
    assert SAME.keys() - twice == set()  # what is gone is not excused any more


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_public_values_are_typed(path: Path) -> None:
    """A field of a public dataclass says what it holds: no `Mapping[str, Any]` or `dict[str, Any]`.

    Records (TypedDicts) are JSON: `radhard.report.schemas` asks for their types.
    """
    loose = {
        f"{owner.name}.{ast.unparse(field.target)}"
        for owner in ast.walk(ast.parse(path.read_text()))
        if isinstance(owner, ast.ClassDef)
        and not owner.name.startswith("_")
        and any("dataclass" in ast.unparse(each) for each in owner.decorator_list)
        for field in owner.body
        if isinstance(field, ast.AnnAssign) and re.search(r"\[str, Any\]", ast.unparse(field.annotation))
    }
    assert loose - LOOSE.keys() == set()


def types(text: str) -> set[str]:
    """The names of the classes and of the types, such as `Width = Literal[32, 64]`, at the top of a source text."""
    found = set()
    for node in ast.parse(text).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        names = [node.name] if isinstance(node, ast.ClassDef) else [ast.unparse(target) for target in targets]
        found |= {name for name in names if re.fullmatch("[A-Z][a-z]\\w*", name)}
    return found


def test_the_name_of_a_class_has_one_meaning() -> None:
    names = [name for path in FILES for name in types(path.read_text())]
    twice = {name for name in names if names.count(name) > 1}
    assert twice - ALIKE.keys() == set()
    assert ALIKE.keys() - twice == set()  # what is gone is not excused any more


def test_the_rule_of_classes_sees_classes_and_types() -> None:
    text = "class Block:\n    pass\n\nWidth = Literal[32, 64]\nLIMIT = 3\n_Rules = tuple[str, ...]\n"
    assert types(text) == {"Block", "Width"}


def test_tests_mirror_the_source() -> None:
    """Each package has its folder of tests, each folder is a package's or stands beside, and the map has each."""
    packages = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()} | {"words", "errors"}
    folders = {path.parent.name for path in TESTS.glob("*/__init__.py")}
    assert folders == packages | BESIDE
    page = (TESTS / "README.md").read_text()
    assert {name for name in folders if f"`{name}" not in page} == set()


def test_imports_run_in_a_line() -> None:
    root = SOURCE.parent.parent
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=root, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout


# what a reliability engineer would not search for: docs/glossary.md has the field's words
BANNED = {
    "Flipped", "Worn", "Damaged", "Damage", "Harm", "Struck", "Exchanged", "Upset", "Bench", "Bed", "Course",
    "Explorer", "Explored", "Surgery", "Keeping", "Placing", "Recourse", "Supply", "Arrivals", "Chain",
    "Voted", "Between", "Within", "Evenness", "Rivals", "Condition", "Moments", "accidents", "strikes",
    "broken", "worn", "damaged", "damage", "surgery", "cut", "taken_apart", "moments", "work", "keeping",
    "placing", "intake", "evenness", "strange", "rivals", "conditions", "explored", "swept", "supply",
    "held_out", "arrivals", "bench", "body", "flipped",
}  # fmt: skip


def defined(path: Path) -> set[str]:
    """The name of a file, and of the classes and functions at its top."""
    kinds = (ast.ClassDef, ast.FunctionDef)
    return {path.stem, *(node.name for node in ast.parse(path.read_text()).body if isinstance(node, kinds))}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_names_are_the_words_of_the_field(path: Path) -> None:
    assert not defined(path) & BANNED


def test_the_rule_of_names_sees_files_classes_and_functions(tmp_path: Path) -> None:
    (tmp_path / "worn.py").write_text("class Bench:\n    pass\n\n\ndef cut() -> None:\n    pass\n")
    assert defined(tmp_path / "worn.py") & BANNED == {"worn", "Bench", "cut"}
