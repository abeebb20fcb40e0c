"""Every block of every page runs, every command on a page exists with its options, and every link leads somewhere."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer

from radhard.cli.commands import app
from tests.support.pages import ROOT, TOP, blocks, commands, named, pages

# pages whose blocks another test runs, with assertions of its own
ELSEWHERE = {
    "README.md": "tests/test_readme.py",
    "docs/anatomy.md": "tests/program/anatomy/test_docs.py",
    "docs/cache.md": "tests/cli/test_cache_command.py",
    "docs/cluster.md": "tests/cli/test_workers_command.py",
    "docs/data.md": "tests/models/data/test_docs.py",
    "docs/deploy.md": "tests/deploy/test_deployed_state.py",
    "docs/devices.md": "tests/machine/test_devices.py",
    "docs/models.md": "tests/models/test_models_docs.py",
    "docs/report.md": "tests/cli/test_report_command.py",
    "docs/stores.md": "tests/cli/test_store_commands.py",
    "docs/traces.md": "tests/operators/test_order_of_operations.py",
    **{
        f"docs/tutorials/{page}.md": "tests/docs/test_tutorials.py"
        for page in ("five-minutes", "which-layers", "what-to-buy", "deploy", "on-a-cluster")
    },
}
# pages that register something of their own: a process each, so that no other test sees it
REGISTERING = {"docs/how-to/fault-model.md", "docs/how-to/operator.md", "docs/how-to/scheme.md"}
PYTHON = [page for page in pages() if named(page) not in ELSEWHERE and blocks(page, "python")]


@pytest.mark.parametrize("page", PYTHON, ids=named)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if named(page) in REGISTERING:
        script = "\n".join(blocks(page, "python"))
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {}
    with torch.random.fork_rng():
        for block in blocks(page, "python"):
            exec(compile(block, named(page), "exec"), session)


def test_shell_blocks_run_elsewhere() -> None:
    """A shell block takes minutes; a page that has one needs a test that also looks at what it gives."""
    assert {named(page) for page in pages() if blocks(page, "sh")} <= ELSEWHERE.keys()


@pytest.mark.parametrize(("page", "test"), ELSEWHERE.items())
def test_blocks_that_run_elsewhere_do(page: str, test: str) -> None:
    assert Path(page).name.removesuffix(".md") in (ROOT / test).read_text()


def test_every_block_has_a_language_that_runs() -> None:
    """A fence without a language, or with another one, would run nowhere; `bash` is for what needs a GPU."""
    for page in pages():
        opened = re.findall(r"^```(.*)\n(?:.*\n)*?```$", page.read_text(), re.MULTILINE)
        assert set(opened) <= {"python", "sh", "bash"}, named(page)
        assert "bash" not in opened or "--device cuda" in page.read_text()


def options(name: str) -> set[str]:
    """The options of a command, as written."""
    commands = typer.main.get_group(app).commands
    assert name in commands, f"there is no command {name}; there are {', '.join(commands)}"
    return {text for parameter in commands[name].params for text in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("page", [page for page in pages() if commands(page)], ids=named)
def test_commands_exist_with_their_options(page: Path) -> None:
    for line in commands(page):
        _, name, *rest = shlex.split(line, comments=True)
        given = {word.split("=")[0] for word in rest if re.match(r"--[a-z]", word)} - {"--help"}
        assert given <= options(name), line


def test_a_wrong_option_is_seen() -> None:
    assert "--ber" in options("sweep")
    assert "--no-such-option" not in options("sweep")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", [*pages(), *sorted((ROOT / "results").glob("*.md"))], ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page if not path else page.parent / path
        assert target.exists(), f"{named(page)}: {link}"
        assert not anchor or anchor in anchors(target), f"{named(page)}: {link}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, new = set(), {ROOT / TOP[0]}
    while new:
        page = new.pop()
        reached.add(page)
        for link in re.findall(r"\]\(([^)\s#:]+\.md)(?:#[^)]*)?\)", page.read_text()):
            target = (page.parent / link).resolve()
            if target not in reached:
                new.add(target)
    assert {named(page) for page in pages()} <= {named(page) for page in reached if page.is_relative_to(ROOT)}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
