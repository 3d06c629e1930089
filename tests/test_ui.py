"""`make ui`: programs start together, are watched, and end together; then the real three."""

import asyncio
import http.client
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
from typing import Any, cast

import pytest

from rai_kedro.ui.guard import guard
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
        with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=30) as page:
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
        assert "127.0.0.1:5001,localhost:5001" in viewers[0].command


def ask(port: int, method: str, path: str, host: str = "") -> tuple[int, str]:
    """Send a request as any program on this machine could, under any name for it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers={"Host": host or f"localhost:{port}"})
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


class TestGuard:
    @pytest.mark.parametrize(
        ("host", "method", "path", "status"),
        [
            ("localhost:8000", "GET", "/", 200),
            ("127.0.0.1:8000", "POST", "/read", 200),
            ("127.0.0.1:8000", "POST", "/read/more", 405),
            ("127.0.0.1:8000", "DELETE", "/read", 405),
            ("127.0.0.1", "GET", "/", 403),
            ("10.0.0.1:8000", "GET", "/", 403),
            ("", "GET", "/", 403),
        ],
    )
    def test_only_reading_under_our_own_name(self, host: str, method: str, path: str, status: int) -> None:
        answered: list[Any] = []

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200})

        async def send(message: Any) -> None:
            answered.append(message.get("status"))

        scope = {"type": "http", "method": method, "path": path, "headers": [(b"host", host.encode())]}
        asyncio.run(cast("Any", guard(application, 8000, reads_by_post="/read"))(scope, None, send))
        assert answered[0] == status


@pytest.mark.slow
class TestGuardedServer:
    """Evidently's UI deleted a project for whoever asked, under any name; the same server with a guard does not."""

    @pytest.fixture(scope="class")
    def guarded(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
        from evidently.ui.workspace import Workspace

        folder, port = tmp_path_factory.mktemp("workspace"), free_port()
        project = Workspace(str(folder / "data/08_reporting/evidently")).create_project("housing")
        viewer = next(one for one in list_viewers(evidently_port=port) if one.name == "Evidently")
        with running([viewer], folder):
            yield port, str(project.id)

    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "10.0.0.1:{port}"]
    )
    @pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
    def test_another_name_is_refused(self, guarded: tuple[int, str], host: str, method: str) -> None:
        port, project = guarded
        status, said = ask(port, method, f"/api/projects/{project}", host.format(port=port))
        assert (status, "Only requests to 127.0.0.1" in said) == (403, True)

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("DELETE", "/api/projects/{project}"),
            ("DELETE", "/api/v2/projects/{project}"),
            ("POST", "/api/projects/{project}/info"),
            ("POST", "/api/v2/snapshots/{project}"),
            ("POST", "/api/v2/snapshots/{project}/data_series_batch/../../../../x"),
            ("PATCH", "/api/projects/"),
            ("PUT", "/api/artifacts/{project}"),
        ],
    )
    def test_nothing_is_changed_under_our_own_name(self, guarded: tuple[int, str], method: str, path: str) -> None:
        port, project = guarded
        assert ask(port, method, path.format(project=project))[0] == 405
        assert "housing" in ask(port, "GET", "/api/projects/")[1]

    def test_figures_of_a_panel_are_read_by_post(self, guarded: tuple[int, str]) -> None:
        port, project = guarded
        # The guard lets it through, and Evidently misses the list of figures.
        assert ask(port, "POST", f"/api/v2/snapshots/{project}/data_series_batch")[0] == 400

    def test_pages_load_nothing_from_elsewhere(self, guarded: tuple[int, str]) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{guarded[0]}", timeout=30) as page:
            assert page.headers["content-security-policy"].startswith("default-src 'self'")


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
            pages = [line.split()[1] for line in said if line.startswith(("MLflow", "Evidently", "Kedro-Viz"))]
            assert pages == [f"http://127.0.0.1:{port}" for port in ports.values()]
            graphs = f"http://127.0.0.1:{ports['--viz-port']}/?pid="
            assert {"hospital", "housing"} <= {line.split()[0] for line in said if graphs in line}
            for port in ports.values():
                assert ask(port, "GET", "/", "evil.example")[0] == 403
                assert ask(port, "DELETE", "/api/projects/1", "evil.example")[0] == 403
            # MLflow refuses hosts that it does not know; both names of this machine have to pass.
            for host in ("127.0.0.1", "localhost"):
                with urllib.request.urlopen(f"http://{host}:{ports['--mlflow-port']}", timeout=60) as page:
                    assert "MLflow" in page.read().decode()
            command.send_signal(sent)
            assert command.wait(timeout=120) == 0
        assert not any(answers(port) for port in ports.values())
