"""The append-only record: chain, tampering, concurrent writers, kills, full disks."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rai_kedro.release.record import (
    GENESIS,
    REPAIR,
    EvidenceError,
    append_evidence,
    chain,
    check_chain,
    read_evidence,
    to_line,
)

NOW = "2024-05-01T12:00:00+00:00"
WRITER = """
import sys
from rai_kedro.release.record import append_evidence
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
number = 0
while number != count:
    append_evidence(path, "note", {"writer": name, "number": number, "text": "x" * 5000}, "2024-05-01T12:00:00+00:00")
    number += 1
"""


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "evidence" / "housing.jsonl"
    for number in range(4):
        append_evidence(path, "note", {"number": number}, NOW)
    return path


def start_writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


class TestAppendAndRead:
    def test_entries_come_back_in_order_and_chained(self, record: Path) -> None:
        entries = read_evidence(record)
        assert [entry.sequence for entry in entries] == [1, 2, 3, 4]
        assert [entry.body["number"] for entry in entries] == [0, 1, 2, 3]
        assert entries[0].previous == GENESIS
        assert [entry.previous for entry in entries[1:]] == [entry.hash for entry in entries[:-1]]

    def test_append_returns_what_read_returns(self, record: Path) -> None:
        entry = append_evidence(record, "approve", {"naïve": "ü\n", "list": [1, 2.5, None]}, NOW)
        assert read_evidence(record)[-1] == entry

    def test_one_entry_is_one_line(self, record: Path) -> None:
        append_evidence(record, "note", {"text": "two\nlines"}, NOW)
        assert len(record.read_bytes().splitlines()) == len(read_evidence(record))

    def test_nothing_recorded_yet_is_an_empty_record_but_does_not_verify(self, tmp_path: Path) -> None:
        assert read_evidence(tmp_path / "none.jsonl") == []
        result = check_chain(tmp_path / "none.jsonl")
        assert not result.ok
        assert result.reason == "there is no such file"

    @pytest.mark.parametrize("body", [{"value": float("nan")}, {"value": float("inf")}])
    def test_values_that_json_does_not_know_are_refused_and_change_nothing(
        self, record: Path, body: dict[str, float]
    ) -> None:
        before = record.read_bytes()
        with pytest.raises(ValueError, match="not representable"):
            append_evidence(record, "note", body, NOW)
        assert record.read_bytes() == before

    def test_empty_kind_is_refused(self, record: Path) -> None:
        with pytest.raises(ValueError, match="must not be empty"):
            append_evidence(record, "", {}, NOW)

    def test_verify_names_the_head(self, record: Path) -> None:
        result = check_chain(record)
        assert (result.ok, len(result.entries), result.broken_line) == (True, 4, None)
        assert result.head == read_evidence(record)[-1].hash


class TestTampering:
    @pytest.mark.parametrize("line", [1, 2, 3, 4])
    def test_changed_value_is_found_at_its_line(self, record: Path, line: int) -> None:
        lines = record.read_bytes().splitlines(keepends=True)
        lines[line - 1] = lines[line - 1].replace(b'"number":', b'"number":9')
        record.write_bytes(b"".join(lines))
        with pytest.raises(EvidenceError, match=f"line {line}: its content does not match its hash"):
            read_evidence(record)
        assert check_chain(record).broken_line == line

    def test_removed_line_is_found(self, record: Path) -> None:
        lines = record.read_bytes().splitlines(keepends=True)
        record.write_bytes(b"".join(lines[:1] + lines[2:]))
        with pytest.raises(EvidenceError, match="line 2: its sequence is 3, expected 2"):
            read_evidence(record)

    def test_inserted_entry_with_its_own_valid_hash_is_found(self, record: Path) -> None:
        lines = record.read_bytes().splitlines(keepends=True)
        lines[1] = to_line(chain(2, read_evidence(record)[0].hash, "note", {"number": 77}, NOW))
        record.write_bytes(b"".join(lines))
        with pytest.raises(EvidenceError, match="line 3: it does not continue"):
            read_evidence(record)

    @pytest.mark.parametrize("text", [b"not json\n", b'{"sequence":5}\n', b'{"value":NaN}\n', b"\xff\n", b"\n"])
    def test_foreign_line_is_found(self, record: Path, text: bytes) -> None:
        record.write_bytes(record.read_bytes() + text)
        with pytest.raises(EvidenceError, match="line 5"):
            read_evidence(record)

    def test_reformatted_line_is_found(self, record: Path) -> None:
        first, *others = record.read_bytes().splitlines(keepends=True)
        loose = json.dumps(json.loads(first), sort_keys=True).encode() + b"\n"
        record.write_bytes(loose + b"".join(others))
        assert check_chain(record).broken_line == 1

    def test_nothing_is_added_to_a_broken_record(self, record: Path) -> None:
        record.write_bytes(record.read_bytes().replace(b'"number":1', b'"number":8'))
        before = record.read_bytes()
        with pytest.raises(EvidenceError, match="line 2"):
            append_evidence(record, "note", {}, NOW)
        assert record.read_bytes() == before

    def test_cut_off_end_is_not_seen_without_an_anchor_as_the_docstring_says(self, record: Path) -> None:
        head = check_chain(record).head
        record.write_bytes(b"".join(record.read_bytes().splitlines(keepends=True)[:-1]))
        assert check_chain(record).ok
        assert check_chain(record).head != head


class TestTornTail:
    def test_unfinished_line_is_reported_and_does_not_break_the_record(self, record: Path) -> None:
        record.write_bytes(record.read_bytes() + b'{"body":{"num')
        assert len(read_evidence(record)) == 4
        result = check_chain(record)
        assert result.ok
        assert result.torn

    def test_next_append_sets_the_unfinished_line_aside(self, record: Path) -> None:
        record.write_bytes(record.read_bytes() + b'{"body":{"num')
        append_evidence(record, "note", {"number": 4}, NOW)
        *_, repair, last = read_evidence(record)
        assert (repair.kind, repair.body["text"], repair.body["bytes"]) == (REPAIR, '{"body":{"num', 13)
        assert (last.sequence, last.body["number"]) == (6, 4)
        assert not check_chain(record).torn

    def test_whole_entry_that_only_lacks_its_newline_is_kept(self, record: Path) -> None:
        record.write_bytes(record.read_bytes()[:-1])
        assert len(read_evidence(record)) == 4
        append_evidence(record, "note", {"number": 4}, NOW)
        assert [entry.body["number"] for entry in read_evidence(record)] == [0, 1, 2, 3, 4]


class TestTrouble:
    def test_two_processes_appending_at_once_keep_the_chain(self, tmp_path: Path) -> None:
        path = tmp_path / "shared.jsonl"
        writers = [start_writer(path, name, 40) for name in ("a", "b")]
        assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
        entries = read_evidence(path)
        assert len(entries) == 80
        for name in ("a", "b"):
            assert [entry.body["number"] for entry in entries if entry.body["writer"] == name] == list(range(40))

    def test_killed_writer_leaves_a_readable_record_that_can_be_continued(self, tmp_path: Path) -> None:
        path = tmp_path / "killed.jsonl"
        moments = random.Random(20240501)  # noqa: S311 - chooses when to kill, not a secret
        known = 0
        for attempt in range(12):
            writer = start_writer(path, str(attempt), -1)
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0.0, 0.05))
            os.kill(writer.pid, signal.SIGKILL)
            assert writer.wait(timeout=10) == -signal.SIGKILL
            writer.stdout.close()
            found = len(read_evidence(path))
            assert found >= known
            known = found
        append_evidence(path, "note", {"after": "the kills"}, NOW)
        assert read_evidence(path)[-1].body == {"after": "the kills"}
        assert known > 0

    def test_write_that_the_system_cuts_off_leaves_the_record_as_it_was(self, record: Path) -> None:
        before = record.read_bytes()
        code = (
            "import resource, sys\n"
            "from rai_kedro.release.record import EvidenceError, append_evidence\n"
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 100},) * 2)\n"
            "try:\n"
            "    append_evidence(sys.argv[1], 'note', {'text': 'x' * 1000}, '2024-06-01')\n"
            "except EvidenceError as error:\n"
            "    sys.exit(str(error))\n"
        )
        run = subprocess.run([sys.executable, "-c", code, str(record)], capture_output=True, text=True, check=False)
        assert run.returncode == 1
        assert "The evidence record cannot be written" in run.stderr
        assert "nothing was recorded" in run.stderr
        assert record.read_bytes() == before

    def test_folder_that_cannot_be_made_is_a_clear_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(EvidenceError, match=r"cannot be written[\s\S]*housing\.jsonl[\s\S]*do next"):
            append_evidence(tmp_path / "file" / "housing.jsonl", "note", {}, NOW)

    def test_record_that_is_a_folder_is_a_clear_error(self, tmp_path: Path) -> None:
        with pytest.raises(EvidenceError, match="cannot be read"):
            read_evidence(tmp_path)


@pytest.mark.parametrize(
    ("at", "found"),
    [
        ("yesterday", "its time is no ISO 8601 time"),
        (5, "its time is no ISO 8601 time"),
        ("[" * 100_000, "no ISO 8601"),
    ],
)
def test_a_time_that_is_none_is_a_finding_with_its_line(tmp_path: Path, at: Any, found: str) -> None:
    record = tmp_path / "housing.jsonl"
    record.write_bytes(to_line(chain(1, GENESIS, "note", {}, at)))
    checked = check_chain(record)
    assert (checked.broken_line, checked.entries) == (1, ())
    assert found in str(checked.reason)


def test_json_nested_without_end_is_a_finding_with_its_line(tmp_path: Path) -> None:
    record = tmp_path / "housing.jsonl"
    record.write_text('{"body":' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}\n")
    assert check_chain(record).broken_line == 1
