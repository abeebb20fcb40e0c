"""The report in a real browser: nothing leaves it, nothing overflows, tables sort, figures answer, it prints."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from radhard.studies.reporting import write_report
from tests.support.browser import Browser, browser, needs_chromium
from tests.support.kept import EVIL, store_of_all

pytestmark = needs_chromium

# Right edges of what is wider than the window, but for what scrolls on its own.
TOO_WIDE = """[...document.querySelectorAll('body *')]
  .filter((each) => !each.closest('.wide, pre') && each.getBoundingClientRect().right > innerWidth + 1)
  .map((each) => each.tagName + '.' + each.getAttribute('class'))"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    return write_report(store_of_all(folder / "run.db"), out=folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def shared() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(params=[400, 1280])
def opened(request: pytest.FixtureRequest, shared: Browser, address: str) -> Browser:
    shared.events.clear()
    shared.open(address, width=request.param)
    return shared


def test_nothing_leaves_the_page_and_nothing_overflows(opened: Browser, address: str) -> None:
    assert opened.run("document.querySelectorAll('.plot .main-svg').length") >= 9
    assert opened.run(TOO_WIDE) == []
    assert opened.run("document.documentElement.scrollWidth <= innerWidth")
    assert opened.requests == [address]
    assert opened.complaints == []
    assert opened.run("fetch('https://radhard.invalid/x').then(() => 'sent', () => 'refused')") == "refused"
    assert opened.run("document.title") == f"{EVIL} under soft errors"


def test_a_table_sorts_on_click_by_number_and_back(opened: Browser) -> None:
    table = "[...document.querySelectorAll('#by-bit table')][0]"
    cells = f"[...{table}.tBodies[0].rows].map((row) => row.cells[2].textContent)"
    header = f"{table}.querySelectorAll('th')[2]"
    opened.run(f"{header}.querySelector('button').click()")
    up = opened.run(cells)
    assert opened.run(f"{header}.getAttribute('aria-sort')") == "ascending"
    opened.run(f"{header}.querySelector('button').click()")
    values = [float(text.split()[0].replace("\u2212", "-")) for text in up]
    assert values == sorted(values) == [pytest.approx(0.1 * bit) for bit in range(16)]
    assert opened.run(cells) == up[::-1]
    name = f"{table}.querySelectorAll('th')[0]"
    opened.run(f"{name}.querySelector('button').click()")
    first = opened.run(f"[...{table}.tBodies[0].rows].map((row) => row.cells[0].textContent)")
    assert first == [f"mul int16 bit {bit}" for bit in range(16)]


def test_a_figure_says_its_numbers_where_the_mouse_is(opened: Browser) -> None:
    opened.run("document.querySelector('#by-layer .plot').scrollIntoView({block: 'center'})")
    place = opened.run(
        "(() => { const r = document.querySelector('#by-layer .scatterlayer .trace:last-child .point')"
        ".getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
    )
    for step in (3, 0):  # a mouse moves
        opened.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0] - step, y=place[1])
    opened.until("document.querySelector('#by-layer .hoverlayer .hovertext') !== null", seconds=10)
    told = opened.run("document.querySelector('#by-layer .hoverlayer').textContent")
    assert "block.0: 7.00 (5.00 to 9.00) points" in told


def test_the_data_of_a_figure_is_downloaded_from_the_page(opened: Browser) -> None:
    link = "document.querySelector('#curve .download a')"
    assert opened.run(f"{link}.download") == "curve-1.csv"
    table = opened.run(f"decodeURIComponent({link}.href.split(',').slice(1).join(','))")
    assert table.splitlines()[0].startswith("model,recipe,ber,")
    assert len(table.splitlines()) == 5


def test_the_figures_follow_the_scheme(opened: Browser) -> None:
    line = "getComputedStyle(document.querySelector('#curve .scatterlayer .point')).fill"
    light, paper = opened.run(line), opened.run("getComputedStyle(document.body).backgroundColor")
    opened.scheme(dark=True)
    opened.until(f"({line}) !== '{light}'", seconds=10)
    assert opened.run("getComputedStyle(document.body).backgroundColor") != paper
    opened.scheme(dark=False)


def test_it_prints(opened: Browser, tmp_path: Path) -> None:
    printed = opened.pdf()
    assert printed.startswith(b"%PDF")
    pages = max(int(count) for count in re.findall(rb"/Count (\d+)", printed))
    assert 3 <= pages <= 20
    opened.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000
