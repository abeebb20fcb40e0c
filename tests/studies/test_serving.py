"""The live page of a store: loopback alone, read-only, what is new while a campaign runs; in a browser, too."""

import http.client
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

import radhard as rh
from radhard.analysis.so_far import ReadSoFar
from radhard.campaign.experiment import Unit
from radhard.campaign.results import keep_result
from radhard.campaign.running_command import RunningCommand, RunningFile, read_running
from radhard.campaign.store import Provenance, Store
from radhard.errors import InputError, StoreError
from radhard.report.page.progress import progress_section
from radhard.studies import serving as served
from radhard.studies.command_line import command_line
from radhard.studies.progress import Measuring
from radhard.studies.serving import serving
from tests.support.browser import browser, needs_chromium
from tests.support.campaigns import outcome, setting
from tests.support.kept import EVIL, results_of_all

HOW = Provenance(seconds=0.5, passes=1.0, made_by="{}")


def unit(ber: float, trial: int = 0, start: int = 0, stop: int = 60) -> Unit:
    return Unit(setting=setting(ber, model=EVIL), trial=trial, start=start, stop=stop)


def filled(path: Path, *units: Unit) -> Path:
    with Store(path) as store:
        for one in units:
            store.write(one, outcome(one), provenance=HOW)
    return path


@contextmanager
def running(path: Path) -> Iterator[ThreadingHTTPServer]:
    with serving(path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def get(server: ThreadingHTTPServer, path: str, *, host: str | None = None, verb: str = "GET") -> tuple[int, str]:
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(verb, path, headers={} if host is None else {"Host": host.format(port=port)})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "_LEAST", 0.0)
    monkeypatch.setattr(served, "_SHARE", 0.0)


def test_what_is_so_far_is_counted_by_hand(tmp_path: Path) -> None:
    units = [unit(1e-8, trial, start, start + 60) for trial in (0, 1) for start in (0, 60)]
    path = filled(tmp_path / "run.db", *units[:3])
    reading = ReadSoFar()
    with Store(path, mode="read") as store:
        (found,) = reading.read(store)
    right = sum(int(outcome(one).correct.sum()) for one in units[:3])
    assert (found.units, found.pairs, found.ber, found.protected, found.selected) == (3, 180, 1e-8, False, False)
    assert found.rate.rate == pytest.approx(right / 180)
    assert found.rate.low < right / 180 < found.rate.high
    filled(path, *units, unit(1e-9))
    with Store(path, mode="read") as store:
        first, second = reading.read(store)
    assert (first.ber, first.pairs, second.pairs) == (1e-9, 60, 240)


def test_an_image_that_two_chunks_hold_counts_once(tmp_path: Path) -> None:
    path = filled(tmp_path / "run.db", unit(1e-8, 0, 0, 60), unit(1e-8, 0, 30, 90))
    with Store(path, mode="read") as store:
        (found,) = ReadSoFar().read(store)
    assert (found.units, found.pairs) == (2, 60)


@pytest.mark.usefixtures("impatient")
def test_the_state_follows_the_store(tmp_path: Path) -> None:
    path = filled(tmp_path / "run.db", unit(1e-8))
    with running(path) as server:
        code, text = get(server, "/state")
        before = json.loads(text)
        assert (code, before["units"], before["results"]) == (200, 1, "")
        assert "<script>alert" not in before["html"]
        filled(path, unit(1e-8, 1), unit(1e-7))
        with Store(path) as store:
            keep_result(store, results_of_all()[0])
        after = json.loads(get(server, "/state")[1])
        assert after["units"] == 3
        assert after["results"] == results_of_all()[0].digest
        code, page = get(server, "/")
        assert code == 200
        assert "So far" in page
        assert "loses 10 points" in page
        assert "<script>alert" not in page
        assert len(page) < 100_000  # the script of Plotly is asked for once


def test_how_far_the_command_is_that_fills_the_store(tmp_path: Path) -> None:
    """By a real sweep: what a watcher would read after each unit, and that nothing is left when it has ended."""
    path, seen = tmp_path / "run.db", list[str]()
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    images = torch.randn(60, 3, 2, 2, generator=torch.Generator().manual_seed(0))

    def watch(event: object) -> None:
        if isinstance(event, Measuring):
            with Store(path, mode="read") as store:
                section = progress_section(ReadSoFar().read(store), running=read_running(path))
            assert section.share is not None
            seen.append(section.lines[1])

    token = command_line.set("radhard sweep 'a model'")
    try:
        rh.sweep(model, images, ber=1e-3, run=rh.RunOptions(trials=2, chunk=10, store=path), progress=watch)
    finally:
        command_line.reset(token)
    assert len(seen) >= 12
    assert re.match(
        r"Running: `radhard sweep 'a model'`, of Sequential: 1 of \d+ units \(.* %\).*; about .* left", seen[0]
    )
    assert [path.name for path in tmp_path.iterdir()] == ["run.db"]
    with Store(path, mode="read") as store:
        ended = progress_section(ReadSoFar().read(store), running=read_running(path))
    assert ended.lines[1] == "No command is filling this store at present."
    assert ended.share is None


def test_a_command_that_was_killed_is_said_to_be(tmp_path: Path) -> None:
    path = filled(tmp_path / "run.db", unit(1e-8))
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    says = RunningCommand(command="", model=EVIL, done=3, total=12, seconds_left=9.5, process=int(gone.stdout))
    RunningFile(store=path).tell(says)
    with Store(path, mode="read") as store:
        section = progress_section(ReadSoFar().read(store), running=read_running(path))
    assert section.lines[1].startswith(
        f"Not running any more: a call from Python, of {EVIL}. It had done 3 of 12 units"
    )
    assert section.share is None


def test_others_are_not_answered(tmp_path: Path) -> None:
    path = filled(tmp_path / "run.db", unit(1e-8))
    before = path.read_bytes()
    with running(path) as server:
        assert server.server_address[0] == "127.0.0.1"
        for host in ("evil.example:{port}", "evil.example", "127.0.0.1:1", "localhost.evil.example:{port}", ""):
            assert get(server, "/state", host=host)[0] == 403, host
        assert get(server, "/state", host="localhost:{port}")[0] == 200
        assert get(server, "/../../etc/passwd")[0] == 404
        for verb in ("POST", "PUT", "DELETE"):
            assert get(server, "/", verb=verb)[0] == 501
    assert path.read_bytes() == before


def test_what_cannot_be_served_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"), serving(tmp_path / "no.db"):
        pass
    path = filled(tmp_path / "run.db", unit(1e-8))
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with (
            pytest.raises(InputError, match=rf"port {port}: it is in use; give another, or 0"),
            serving(path, port=port),
        ):
            pass


@needs_chromium
@pytest.mark.usefixtures("impatient")
def test_a_browser_follows_a_campaign(tmp_path: Path) -> None:
    path = filled(tmp_path / "run.db", unit(1e-8))
    with running(path) as server, browser() as page:
        page.open(f"http://127.0.0.1:{server.server_address[1]}/", width=400)
        page.until("document.querySelector('#so-far').textContent.includes('1 unit of 1 setting')")
        filled(path, unit(1e-7), unit(1e-6))
        page.until("document.querySelector('#so-far').textContent.includes('3 units of 3 settings')")
        page.until("document.querySelectorAll('#so-far .scatterlayer .point').length === 3")
        with Store(path) as store:
            keep_result(store, results_of_all()[0])
        page.until("document.querySelector('#curve .main-svg') !== null")  # it has loaded itself anew
        assert page.complaints == []
        home = f"http://127.0.0.1:{server.server_address[1]}/"
        assert {address.removeprefix(home) for address in page.requests} <= {"", "state", "plotly.js", "favicon.ico"}
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
