"""Files and folders put in their place whole or not at all, a lock that says who holds it, and whose account it is."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from rai_kedro.errors import RaiError

_POLL_SECONDS = 0.1


class LockedError(RaiError):
    """Another process is at work on the same thing."""


def write_text(path: Path, text: str) -> None:
    """Replace a file's content as :func:`write_bytes` does, as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file's content, so that a reader or a kill finds the old or the new, never a part.

    The folder is made if absent.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        move_into_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def staging_folder(beside: Path, name: str) -> Iterator[Path]:
    """Lend an empty folder on the same file system as ``beside``, for the length of a ``with`` block.

    It lies beside, not inside: a program that watches the place notices what comes in from outside. Each process has
    its own, so that two may stage the same thing at once; what a killed one left behind is removed by the next.
    ``name`` says what is staged.
    """
    room = beside.parent / f".{beside.name}.staging"
    room.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(room)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}.{os.getpid()}.", dir=room))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another process is staging something else
            room.rmdir()


def append_line(path: Path, line: str) -> None:
    """Add a line to a file and wait until it is on disk; what a kill left of a line before is ended first."""
    make_folder(path.parent)
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        end = file.seek(0, os.SEEK_END)
        torn = end > 0 and os.pread(file.fileno(), 1, end - 1) != b"\n"
        file.write(b"\n" * torn + line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def move_into_place(source: Path, target: Path) -> None:
    """Replace a file, or place a folder, in one step that survives a crash; an existing folder must be empty.

    Both have to lie on the same file system.
    """
    for path in [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]:
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    make_folder(target.parent)
    os.replace(source, target)
    flush_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, and see that their names are on disk."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk, without which a rename can be lost in a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# The project that this process opened last: a worker of Airflow opens one from whatever folder it happens to be in.
_opened: list[Path] = []


def remember_project(folder: Path) -> None:
    """Note which project is opened, for where the working directory is in none."""
    _opened[:] = [folder]


def project_folder() -> Path:
    """Return the folder of the Kedro project that the working directory is in, else the one that was opened last.

    Where there is neither, it is the working directory.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        settings = folder / "pyproject.toml"
        if settings.is_file() and "[tool.kedro]" in settings.read_text(encoding="utf-8"):
            return folder
    return _opened[0] if _opened else here


def shipped_folder() -> Path:
    """Return the folder whose ``conf`` every project begins with: part of the wheel, or this repository itself."""
    package = Path(__file__).parent
    return package / "project" if (package / "project").is_dir() else package.parents[1]


def find_account() -> str:
    """Return the account of the operating system under which this runs, its number where it has no name.

    Of the process, not what LOGNAME or USER say, which anybody may set.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # as in a container
        return f"uid {os.getuid()}"


@contextmanager
def locked(path: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock that ends with the process, whatever ends it; its file stays behind, with who had it last.

    Another holder is waited for ``wait`` seconds; then LockedError names it.
    """
    make_folder(path.parent)
    with path.open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + wait
        while not _take(file.fileno()):
            if time.monotonic() >= deadline:
                raise _locked(path)
            time.sleep(_POLL_SECONDS)
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
        holder = {"process": os.getpid(), "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S UTC}", "command": command}
        file.truncate(0)
        file.write(json.dumps(holder))
        file.flush()
        yield  # closing the file frees the lock


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _locked(path: Path) -> LockedError:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        who = f"process {holder['process']} since {holder['since']}: {holder['command']}"
    except (OSError, ValueError, KeyError):
        who = "not known"
    return LockedError(
        "Another command is at work on the same use case.",
        where=str(path),
        example=f"held by {who}",
        remedy="wait until it has ended and run this again; the lock of a process that was killed frees itself",
    )


def _clear_abandoned(room: Path) -> None:
    for folder in room.iterdir():
        _, _, owner = folder.name.rpartition(".")[0].rpartition(".")
        if not (owner.isdigit() and is_alive(int(owner))):
            shutil.rmtree(folder, ignore_errors=True)


def is_alive(process: int) -> bool:
    """Say whether there is a process with this number, anybody's."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, PermissionError) as error:
        return isinstance(error, PermissionError)
    return True
