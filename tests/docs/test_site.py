"""The site builds with no warning: every page is in its navigation, every link and anchor leads somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import DOCS, ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_of_docs_is_there(site: Path) -> None:
    for page in DOCS.rglob("*.md"):
        assert (site / page.relative_to(DOCS)).with_suffix(".html").is_file(), page
    for outside in ("results/index.html", "CONTRIBUTING.html", "notebooks/my_model.html", "examples/one_flip.html"):
        assert (site / outside).is_file(), outside


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    scripts = r"<(?:script|img|iframe|source)[^>]*\ssrc=[\"']?https?:"
    loaded = scripts + r"|<link[^>]*rel=[\"']?(?:stylesheet|preconnect|icon)[^>]*https?:"
    for page in site.rglob("*.html"):
        assert re.search(loaded, page.read_text(encoding="utf-8")) is None, page.name


def test_code_of_the_build_is_not_published(site: Path) -> None:
    assert list(site.rglob("*.py")) == []


def test_links_between_files_of_the_repository_are_those_of_the_site(site: Path) -> None:
    zoo = (site / "zoo.html").read_text(encoding="utf-8")
    assert 'href="results/index.html"' in zoo
    assert 'src="results/zoo-sweep.png"' in zoo
    assert (site / "results" / "zoo-sweep.png").is_file()
