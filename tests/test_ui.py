"""`make ui`: programs start together, are watched, and end together; then the real three."""

import itertools
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from rai_kedro.ui.processes import ViewerError, running
from rai_kedro.ui.viewers import Viewer, list_viewers

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_server(name: str, port: int) -> Viewer:
    command = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1")
    return Viewer(name, port, command, "the files of the folder")


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5) as page:
            return bool(page.status == 200)
    except OSError:
        return False


@pytest.fixture
def viewers() -> list[Viewer]:
    return [make_server("First", free_port()), make_server("Second", free_port())]


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


class TestRunning:
    def test_all_answer_inside_and_none_outside(self, viewers: list[Viewer], tmp_path: Path) -> None:
        with running(viewers, tmp_path) as check:
            check()
            assert all(answers(viewer.port) for viewer in viewers)
        assert not any(answers(viewer.port) for viewer in viewers)

    def test_children_of_a_viewer_end_too(self, tmp_path: Path) -> None:
        """MLflow answers from worker processes; a stop that forgot them would keep the port taken."""
        port = free_port()
        script = f"""
            import subprocess, sys, time
            subprocess.Popen([sys.executable, "-m", "http.server", "{port}", "--bind", "127.0.0.1"])
            time.sleep(600)
        """
        viewer = Viewer("Parent", port, (sys.executable, "-c", textwrap.dedent(script)), "")
        with running([viewer], tmp_path):
            assert answers(port)
        assert not answers(port)

    def test_viewer_that_ignores_the_request_to_end_is_killed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("rai_kedro.ui.processes._STOP_SECONDS", 0.5)
        port = free_port()
        script = f"""
            import http.server, signal
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            handler = http.server.SimpleHTTPRequestHandler
            http.server.HTTPServer(("127.0.0.1", {port}), handler).serve_forever()
        """
        viewer = Viewer("Stubborn", port, (sys.executable, "-c", textwrap.dedent(script)), "")
        with running([viewer], tmp_path):
            pass
        assert not answers(port)

    def test_taken_port_is_named_before_anything_starts(
        self, viewers: list[Viewer], listener: int, tmp_path: Path
    ) -> None:
        wanted = [*viewers, make_server("Third", listener)]
        with (
            pytest.raises(ViewerError, match=f"Port {listener}, which Third needs") as caught,
            running(wanted, tmp_path),
        ):
            pass
        assert "Nothing has been started" in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    def test_one_port_for_two_is_refused(self, tmp_path: Path) -> None:
        port = free_port()
        wanted = [make_server("First", port), make_server("Second", port)]
        with pytest.raises(ViewerError, match=f"Port {port}"), running(wanted, tmp_path):
            pass

    def test_one_that_does_not_start_is_named_with_its_log(self, viewers: list[Viewer], tmp_path: Path) -> None:
        broken = Viewer("Broken", free_port(), (sys.executable, "-c", "raise SystemExit('no database')"), "")
        with pytest.raises(ViewerError, match=r"Broken has ended by itself \(exit code 1\)") as caught:
            with running([*viewers, broken], tmp_path):
                pass
        assert "no database" in str(caught.value)
        assert not any(answers(viewer.port) for viewer in viewers)

    def test_one_that_dies_later_stops_the_others(self, viewers: list[Viewer], tmp_path: Path) -> None:
        port = free_port()
        script = f"""
            import http.server as server
            server.HTTPServer(("127.0.0.1", {port}), server.SimpleHTTPRequestHandler).handle_request()
        """
        mortal = Viewer("Mortal", port, (sys.executable, "-c", textwrap.dedent(script)), "")
        with pytest.raises(ViewerError, match=r"Mortal has ended by itself \(exit code 0\)"):
            with running([mortal, *viewers], tmp_path) as check:
                while True:
                    check()
                    time.sleep(0.05)
        assert not any(answers(viewer.port) for viewer in viewers)


class TestList:
    def test_addresses_are_of_this_machine_only(self) -> None:
        viewers = list_viewers(mlflow_port=5001)
        assert [viewer.url for viewer in viewers] == [
            "http://127.0.0.1:5001",
            "http://127.0.0.1:8000",
            "http://127.0.0.1:4141",
        ]
        assert all("127.0.0.1" in viewer.command for viewer in viewers[:2])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of this project without its data, so that no real database is touched."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for folder in ("conf", "src"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


@pytest.mark.slow
class TestCommand:
    @pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
    def test_the_three_open_and_end_with_the_command(self, project: Path, sent: signal.Signals) -> None:
        ports = {option: free_port() for option in ("--mlflow-port", "--evidently-port", "--viz-port")}
        options = [str(part) for pair in ports.items() for part in pair]
        with subprocess.Popen(
            [sys.executable, "-m", "rai_kedro.ui", *options],
            cwd=project,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as command:
            assert command.stdout is not None
            said = list(itertools.takewhile(lambda line: "Ctrl-C" not in line, command.stdout))
            assert [line.split()[1] for line in said[-3:]] == [f"http://127.0.0.1:{port}" for port in ports.values()]
            # MLflow refuses hosts that it does not know; both names of this machine have to pass.
            for host in ("127.0.0.1", "localhost"):
                with urllib.request.urlopen(f"http://{host}:{ports['--mlflow-port']}", timeout=10) as page:
                    assert "MLflow" in page.read().decode()
            command.send_signal(sent)
            assert command.wait(timeout=30) == 0
        assert not any(answers(port) for port in ports.values())
