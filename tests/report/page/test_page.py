"""The report page as values and as HTML: sentences with known numbers, data as CSV, and names that mean harm."""

import base64
import csv
import hashlib
import html
import io
import json
import re
import sys
import urllib.parse
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from radhard.campaign.store import Store
from radhard.errors import InputError
from radhard.report.page.avf import avf_section
from radhard.report.page.claims import claims_section
from radhard.report.page.curve import curve_section
from radhard.report.page.document import document
from radhard.report.page.page import Page, kept_in, page_of
from radhard.report.page.patches import patch_section
from radhard.report.page.records import record_of
from radhard.report.page.section import PageFigure, PageTable, Section, csv_of
from radhard.report.page.summary import summary_section
from radhard.studies.reporting import stores_of, write_report
from tests.support.kept import EVIL, results_of_all, store_of_all


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    store = store_of_all(tmp_path_factory.mktemp("page") / "run.db")
    return page_of(kept_in([store]), source=f"From {EVIL}")


def lines(key: str, page: Page) -> str:
    return "\n".join(next(section for section in page.sections if section.key == key).lines)


def test_each_result_has_its_section(page: Page) -> None:
    assert [section.key for section in page.sections if section.key != "claims"] == [
        "summary", "curve", "by-layer", "by-bit", "by-patch", "avf", "plan", "evaluation", "schemes", "hardened",
        "exposed", "made",
    ]  # fmt: skip


def test_the_summary_says_what_breaks_first_what_to_protect_and_what_is_not_known(page: Page) -> None:
    told = lines("summary", page)
    assert "right on 91.0 % (86.2 to 94.2) as float and 90.0 % (85.1 to 93.4) as int8, of 200 images" in told
    assert "loses 10 points of accuracy at about BER 4.2e-07 (between 1e-07 and 1e-06), and half of it at about" in told
    assert "of 3 layers, layer block.0 is the most vulnerable: without its faults accuracy is 7.00 (5.00" in told
    assert "Not told apart from it: block.1." in told
    assert "looked at together, none of 16 bits is surely vulnerable; the largest factor is that of mul int16" in told
    assert "protect 1 site with row-abft, for 3.1 % more operations. On 300 images that did not choose it" in told
    assert "1.00 points (95 % limits, each one-sided: \u22121.00 and 3.00) are lost: whether the target of" in told
    assert "at most 2 points is met cannot be told (about 900 images could)." in told
    assert "are lost: the target of at most 2 points is met." in told
    assert "within 5.00 points at worst" in told
    assert "the factors of 1 of 3 layers may be 0" in told
    assert "the AVF is 2.00 % (1.00 to 3.00): so often exactly one flip in 75.0 % of the exposed bits changes" in told
    assert "changes the top-1 class in silence (1,200 flips on 200 images)." in told
    assert (
        "of 3 layers, layer block.0 has the highest AVF, 4.00 % (3.00 to 5.00). Not told apart from it: block.1."
        in told
    )
    assert "hardened.pt2 protects 1 site by the plan of step gain. An image takes 4.5 ms, 3.00 times the same" in told
    assert "(the middle half of all rounds: 2.90 to 3.20), and 9.00 times your own module in PyTorch." in told
    assert "1 of 1 paired difference can be neither told from 0 nor called equivalent" in told
    assert f"Not measured of {EVIL}: vulnerability by module (`radhard vulnerability --by module`)." in told


def test_what_was_not_measured_is_told() -> None:
    (told,) = summary_section(results_of_all()[6:7]).lines[-1:]
    assert all(f"`radhard {verb}" in told for verb in ("sweep", "vulnerability --by layer", "plan", "compare"))
    assert "evaluate`" not in told
    assert summary_section([]).lines == ("The store holds no result yet.",)


def test_faults_that_are_not_everywhere_are_told_and_judge_no_claim() -> None:
    """A sweep of two layers, kept after that of the whole model: the summary speaks of the whole, a section of both."""
    sweep = next(kept for kept in results_of_all() if kept.verb == "sweep")
    part = replace(sweep, settings={**sweep.settings, "layer": ["head", "stem"], "kinds": ["mul"]}, made="2999")
    alone = "(int8, faults in mul of layer head or stem alone) loses 10 points"
    assert alone not in "\n".join(summary_section([sweep, part]).lines)
    assert alone in "\n".join(summary_section([part]).lines)
    both = curve_section([sweep, part])
    assert both is not None
    assert [alone in line for line in both.lines] == [False, True]
    assert claims_section([sweep]) is not None
    assert claims_section([part]) is None
    inverted = replace(part, settings={"layer": ["head"], "except": True})
    assert record_of(inverted)["named"].endswith("(int8, faults in all but layer head alone)")


def test_the_data_of_every_figure_is_that_of_the_records(page: Page) -> None:
    figures = [part for section in page.sections for part in section.parts if isinstance(part, PageFigure)]
    assert len(figures) == 8
    rows = {figure.name: list(csv.DictReader(io.StringIO(figure.csv))) for figure in figures}
    assert [float(row["accuracy"]) for row in rows["curve"]] == [0.9, 0.88, 0.7, 0.2]
    assert [float(row["factor"]) for row in rows["factors-layer"]] == [0.07, 0.06, 0.0]
    assert [row["overhead.share"] for row in rows["schemes"]] == ["", "0.05", "2.0"]
    assert len(rows["factors-bit"]) == 16
    assert rows["factors-patch"][3]["name"] == "1,1"
    (layers,) = next(figure for figure in figures if figure.name == "factors-layer").panels
    assert layers.traces[1]["x"] == pytest.approx([7.0, 6.0, 0.0])
    assert layers.traces[1]["error_x"]["array"] == pytest.approx([2.0] * 3)  # type: ignore[index]
    image, patches = next(figure for figure in figures if figure.name == "factors-patch").panels
    assert patches.traces[0]["z"] == [[0.0, 0.0], [1.0, 1.0]]
    assert image.traces[0]["z"] == [[0, 10, 20, 30]] * 4
    assert [row["sdc.rate"] for row in rows["avf-layer"]] == ["0.04", "0.02", "0.0"]


def test_the_mean_image_lies_where_its_patches_do(page: Page) -> None:
    """Of 4 x 4 pixels under 2 x 2 patches the first pixel goes from -0.5 to 0: its middle is at -0.25."""
    (section,) = (each for each in page.sections if each.key == "by-patch")
    (figure,) = (part for part in section.parts if isinstance(part, PageFigure))
    image = figure.panels[0]
    assert (image.traces[0]["x0"], image.traces[0]["dx"]) == (-0.25, 0.5)
    assert image.title == "mean of 200 images of toy/test"
    lines = [(shape["x0"], shape["x1"], shape["y0"], shape["y1"]) for shape in image.layout["shapes"]]  # type: ignore[attr-defined]
    assert set(lines) == {(0.5, 0.5, -0.5, 1.5), (-0.5, 1.5, 0.5, 0.5)}
    patches = next(kept for kept in results_of_all() if "mean_image" in kept.record)
    before = replace(patches, record={key: value for key, value in patches.record.items() if key != "mean_image"})
    old = patch_section([before])
    assert old is not None
    (only,) = (part for part in old.parts if isinstance(part, PageFigure))
    assert len(only.panels) == 1
    assert "without the mean image" in only.note


def test_avfs_of_bits_and_patches_and_of_flips_that_change_nothing() -> None:
    kept = next(kept for kept in results_of_all("toy") if kept.verb == "avf")
    components = kept.record["components"]

    def section(by: str, names: list[str], rates: list[float]) -> Section:
        renamed = [
            {**one, "component": name, "sdc": {"rate": rate, "low": 0.0, "high": 0.1}}
            for one, name, rate in zip(components, names, rates, strict=True)  # type: ignore[call-overload]
        ]
        found = avf_section([replace(kept, record={**kept.record, "by": by, "components": renamed})])
        assert found is not None
        return found

    bits = section("bit", ["mul int16 bit 0", "mul int16 bit 15", "add int32 bit 30"], [0.0, 0.01, 0.03])
    assert [panel.title for panel in bits.parts[0].panels] == ["mul int16", "add int32"]  # type: ignore[union-attr]
    patches = section("patch", ["0,0", "0,1", "rest"], [0.0, 0.02, 0.01])
    assert patches.parts[0].panels[0].traces[0]["z"] == [[0.0, 2.0]]  # type: ignore[union-attr]
    assert "of 3 patches, patch 0,1 has the highest AVF" in patches.lines[1]
    (line,) = section("layer", ["a", "b", "c"], [0.0] * 3).lines
    assert "none changed the top-1 class: the AVF is at most 3.00 %" in line
    assert avf_section([]) is None


def test_a_spreadsheet_takes_no_text_for_a_formula() -> None:
    told = csv_of([{"name": "=cmd|' /C calc'!A0", "@x": "+1", "factor": -0.5, "loss": {"low": None}}])
    assert told == "name,'@x,factor,loss.low\r\n'=cmd|' /C calc'!A0,'+1,-0.5,\r\n"


def test_tables_sort_by_numbers_and_name_each_column(page: Page) -> None:
    tables = [part for section in page.sections for part in section.parts if isinstance(part, PageTable)]
    for table in tables:
        assert all(len(row) == len(table.columns) for row in table.rows), table.title
    layers = next(table for table in tables if table.title.startswith("Factors by layer"))
    assert layers.numeric == (False, True, True, True, True, True)
    assert [row[2].number for row in layers.rows] == [0.07, 0.06, 0.0]


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the texts of scripts and titles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found:
            self.texts.setdefault(self.found[-1][0], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_a_name_that_means_harm_is_text_everywhere(page: Page) -> None:
    text = document(page)
    assert "<script>alert(1)" not in text
    assert html.escape(EVIL) in text
    elements = Elements(text)
    kinds = [attributes.get("type") for attributes in elements.all("script")]
    assert kinds.count(None) == 2  # Plotly's and the page's own
    assert kinds.count("application/json") == len(kinds) - 2 == 8
    for data in re.findall(r'<script type="application/json" class="panels-data">(.*?)</script>', text, re.DOTALL):
        for panel in json.loads(data):
            shown = json.dumps(panel)
            assert "<script" not in shown  # Plotly reads some tags
    addresses = [a["href"] or "" for a in elements.all("a")]
    tables = [urllib.parse.unquote(each) for each in addresses if each.startswith("data:text/csv")]
    assert len(tables) == 8
    assert any(f"'=head{EVIL}" in each for each in tables)
    assert {each[:1] for each in addresses if not each.startswith("data:")} == {"#"}


def test_the_policy_lets_only_the_pages_own_scripts_run(page: Page) -> None:
    text = document(page)
    (policy,) = [meta["content"] or "" for meta in Elements(text).all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert "connect-src 'none'" in policy
    for script in re.findall(r"<script>(.*?)</script>", text, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert not re.search(r"\s(on\w+|style)=", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))


def test_commands_stand_as_a_shell_takes_them(page: Page) -> None:
    assert page.commands[0] == f"radhard sweep '{EVIL}' --store 'a run.db'"
    (shown,) = re.findall(r'<pre class="commands"><code>(.*?)</code>', document(page), re.DOTALL)
    assert html.unescape(shown).splitlines() == list(page.commands)


def test_commands_in_sentences_are_code_and_a_lone_mark_is_text(page: Page) -> None:
    odd = replace(page.sections[0], lines=("run `a <b>` now", "a ` <b>"))
    text = document(replace(page, sections=(odd,)))
    assert "run <code>a &lt;b&gt;</code> now" in text
    assert "<li>a ` &lt;b&gt;</li>" in text


# --- sources ---


def test_a_study_names_its_store_and_a_folder_its_study(tmp_path: Path) -> None:
    store = store_of_all(tmp_path / "runs.db", model="toy")
    study = tmp_path / "study.toml"
    study.write_text('model = "toy"\n[run]\nstore = "runs.db"\n')
    assert stores_of(study) == stores_of(tmp_path) == stores_of(store) == (store,)
    study.unlink()
    assert stores_of(tmp_path) == (store,)
    out = write_report(tmp_path, out=tmp_path / "report.html")
    assert "<title>toy under soft errors</title>" in out.read_text()


def test_what_has_no_result_is_told_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such store, study or folder"):
        write_report(tmp_path / "no.db", out=tmp_path / "report.html")
    with pytest.raises(InputError, match=r"neither a study\.toml nor a store"):
        write_report(tmp_path, out=tmp_path / "report.html")
    with Store(tmp_path / "run.db"):
        pass
    with pytest.raises(InputError, match="holds no result yet: run `radhard sweep`"):
        write_report(tmp_path / "run.db", out=tmp_path / "report.html")
    (tmp_path / "study.toml").write_text("model = 1")
    with pytest.raises(InputError, match="names no store"):
        write_report(tmp_path, out=tmp_path / "report.html")
    (tmp_path / "study.toml").write_text("model = ")
    with pytest.raises(InputError, match="is no TOML"):
        write_report(tmp_path, out=tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("absent", ["plotly", "jinja2"])
def test_without_the_extra_it_says_what_to_install(page: Page, absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(InputError, match=r"pip install 'radhard\[report\]'"):
        document(page)
