"""The head of a record kept elsewhere: a cut or rewritten record is found, and what could still be hidden is said."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from rai_kedro.release import (
    Anchor,
    Places,
    append_evidence,
    keep_as_tag,
    keep_as_time_stamp,
    keep_in_file,
    read_evidence,
    verify,
)
from rai_kedro.release.anchors import AnchorError
from rai_kedro.release.pack import collect_stamps

NOW = "2024-05-01T12:00:00+00:00"
CONFIGURATION = """
[req]
distinguished_name = name
prompt = no
[name]
CN = a test
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[stamp]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = here
[here]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    project = tmp_path / "project"
    record = project / "evidence" / "toy.jsonl"
    for number in range(4):
        append_evidence(record, "note", {"number": number}, NOW)
    return Places(record, "toy", project, project / "timestamp_authorities.pem")


def head_of(places: Places) -> Anchor:
    entries = read_evidence(places.record)
    return Anchor(use_case="toy", sequence=len(entries), head=entries[-1].hash, anchored_at=NOW)


def anchor(places: Places, keep: Callable[[Anchor], dict[str, str]]) -> None:
    """Anchor and enter that it was done, as the command does."""
    head = head_of(places)
    place = keep(head)
    append_evidence(places.record, "anchor", {"sequence": head.sequence, "head": head.head, **place}, NOW)


def cut(places: Places, lines: int) -> None:
    places.record.write_bytes(b"".join(places.record.read_bytes().splitlines(keepends=True)[:lines]))


def rewrite(places: Places) -> None:
    """Write a record of as many lines with a chain of its own."""
    count = len(read_evidence(places.record))
    places.record.unlink()
    for number in range(count):
        append_evidence(places.record, "note", {"forged": number}, NOW)


def check(places: Places) -> tuple[tuple[str, ...], str]:
    found = verify(places.record, places=places)
    return tuple(map(str, found.findings)), found.hidden


def test_without_an_anchor_it_is_said_what_would_not_be_noticed(places: Places) -> None:
    assert check(places) == (
        (),
        "No anchor was seen: a record cut at its end or written anew as a whole would not be noticed.",
    )


def test_an_anchor_in_a_file_is_found_by_its_entry_and_covers_what_came_before(places: Places, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "anchors.jsonl"
    anchor(places, lambda one: keep_in_file(one, elsewhere))
    assert check(places) == ((), "Nothing but the anchoring itself came after line 4, which is anchored.")
    append_evidence(places.record, "note", {"number": 5}, NOW)
    found = verify(places.record, places=places)
    assert found.anchors == (f"{elsewhere} keeps line 4 since {NOW}",)
    assert found.hidden == "1 line came after line 4, the last that is anchored: cut off, they would not be missed."


def test_a_record_cut_to_before_its_anchor_is_found_by_whoever_knows_the_file(places: Places, tmp_path: Path) -> None:
    elsewhere = tmp_path / "anchors.jsonl"
    anchor(places, lambda one: keep_in_file(one, elsewhere))
    cut(places, 3)
    assert check(places)[0] == ()
    given = Places(places.record, "toy", places.project, places.authorities, (elsewhere,))
    (finding,), _ = check(given)
    assert finding == f"{elsewhere} keeps line 4 since {NOW}, but the record has 3 lines: its end was cut off"


def test_an_earlier_anchoring_in_the_same_file_is_enough_to_find_the_later_one(places: Places, tmp_path: Path) -> None:
    elsewhere = tmp_path / "anchors.jsonl"
    for _ in range(2):
        append_evidence(places.record, "note", {"more": 1}, NOW)
        anchor(places, lambda one: keep_in_file(one, elsewhere))
    cut(places, 6)  # the first anchoring is line 6, the second covers line 7
    (finding,), _ = check(places)
    assert finding == f"{elsewhere} keeps line 7 since {NOW}, but the record has 6 lines: its end was cut off"


def test_a_record_written_anew_as_a_whole_is_found(places: Places, tmp_path: Path) -> None:
    elsewhere = tmp_path / "anchors.jsonl"
    anchor(places, lambda one: keep_in_file(one, elsewhere))
    rewrite(places)
    given = Places(places.record, "toy", places.project, places.authorities, (elsewhere,))
    (finding,), _ = check(given)
    assert finding.endswith("that line is another one now: the record was written anew")


def test_an_anchor_taken_out_of_its_file_is_missed(places: Places, tmp_path: Path) -> None:
    elsewhere = tmp_path / "anchors.jsonl"
    anchor(places, lambda one: keep_in_file(one, elsewhere))
    elsewhere.write_text("")
    assert check(places)[0] == (f"the anchor of line 4 is no longer in {elsewhere}",)
    elsewhere.unlink()
    found = verify(places.record, places=places)
    assert found.findings == ()
    assert "could not be looked at" in found.notes[0]
    given = Places(places.record, "toy", places.project, places.authorities, (elsewhere,))
    assert "could not be looked at" in check(given)[0][0]


def test_anchors_of_other_use_cases_in_the_same_file_are_theirs(places: Places, tmp_path: Path) -> None:
    elsewhere = tmp_path / "anchors.jsonl"
    other = head_of(places).model_copy(update={"use_case": "other", "sequence": 99})
    keep_in_file(other, elsewhere)
    anchor(places, lambda one: keep_in_file(one, elsewhere))
    assert check(places)[0] == ()


def git(places: Places, *arguments: str) -> None:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    command = ["git", *identity, "-C", str(places.project), *arguments]
    subprocess.run(command, check=True, capture_output=True)


def test_a_git_tag_is_found_even_where_the_entry_that_names_it_was_cut(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "T")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "t@example.org")
    with pytest.raises(AnchorError, match="Git did not make the tag"):
        keep_as_tag(head_of(places), places.project)
    git(places, "init", "-q")
    git(places, "commit", "-q", "--allow-empty", "-m", "first")
    anchor(places, lambda one: keep_as_tag(one, places.project))
    assert verify(places.record, places=places).anchors == (f"git tag rai-anchor/toy/4 keeps line 4 since {NOW}",)
    cut(places, 3)
    (finding,), _ = check(places)
    assert "its end was cut off" in finding
    rewrite(places)
    append_evidence(places.record, "anchor", {"git_tag": "rai-anchor/toy/9", "sequence": 9, "head": "0"}, NOW)
    found = verify(places.record, places=places)
    assert "written anew" in found.findings[0].what
    assert found.notes == ("git tag rai-anchor/toy/9 is not in this repository",)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a root and a time stamp authority with openssl."""
    folder = tmp_path_factory.mktemp("authority")
    (folder / "openssl.cnf").write_text(CONFIGURATION)
    (folder / "serial").write_text("01\n")

    def openssl(*arguments: str) -> None:
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    common = ("-config", "openssl.cnf", "-newkey", "rsa:2048", "-nodes")
    root = ("-keyout", "root.key", "-out", "root.pem", "-days", "9", "-extensions", "ca", "-subj", "/CN=test root")
    openssl("req", "-x509", *common, *root)
    openssl("req", *common, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=test authority")
    signed = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "9")
    openssl(
        "x509", "-req", "-in", "tsa.csr", *signed, "-extfile", "openssl.cnf", "-extensions", "stamp", "-out", "tsa.pem"
    )
    return folder


@pytest.fixture
def url(authority: Path) -> Iterator[str]:
    """Serve it as an authority does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = authority / "query.tsq"
            query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            made = ("-config", "openssl.cnf", "-queryfile", query.name, "-signer", "tsa.pem", "-inkey", "tsa.key")
            command = ["openssl", "ts", "-reply", *made, "-out", "reply.tsr"]
            subprocess.run(command, cwd=authority, check=True, capture_output=True)
            self.send_response(200)
            self.end_headers()
            self.wfile.write((authority / "reply.tsr").read_bytes())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def stamp(places: Places, url: str) -> Callable[[Anchor], dict[str, str]]:
    return lambda one: keep_as_time_stamp(one, url, places.record, places.authorities)


def test_a_time_stamp_is_checked_against_its_authority_and_finds_a_cut_and_a_rewritten_record(
    places: Places, url: str, authority: Path
) -> None:
    places.authorities.write_bytes((authority / "root.pem").read_bytes())
    anchor(places, stamp(places, url))
    found = verify(places.record, places=places)
    assert (found.findings, found.notes) == ((), ())
    assert found.anchors[0].startswith("time stamp toy.4.tsr keeps line 4 since ")
    whole = places.record.read_bytes()
    cut(places, 3)
    assert "its end was cut off" in check(places)[0][0]
    places.record.write_bytes(whole)
    rewrite(places)
    assert "written anew" in check(places)[0][0]


def test_openssl_alone_checks_the_token_as_a_pack_has_it(
    places: Places, url: str, authority: Path, tmp_path: Path
) -> None:
    anchor(places, stamp(places, url))
    for name, content in collect_stamps(places.record, read_evidence(places.record)).items():
        (tmp_path / "pack" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pack" / name).write_bytes(content)
    command = ["openssl", "ts", "-verify", "-data", "anchors/4.head", "-in", "anchors/4.tsr"]
    command += ["-CAfile", str(authority / "root.pem"), "-untrusted", str(authority / "tsa.pem")]
    done = subprocess.run(command, cwd=tmp_path / "pack", capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout + done.stderr


def test_who_made_a_time_stamp_is_open_without_a_certificate_and_refused_with_another(
    places: Places, url: str, authority: Path, tmp_path: Path
) -> None:
    anchor(places, stamp(places, url))
    found = verify(places.record, places=places)
    assert found.findings == ()
    assert found.notes == ("who made the time stamp toy.4.tsr was not checked: there is no timestamp_authorities.pem",)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k", "-out", "other.pem", "-subj"]
    subprocess.run([*command, "/CN=other"], cwd=tmp_path, check=True, capture_output=True)
    places.authorities.write_bytes((tmp_path / "other.pem").read_bytes())
    (finding,), _ = check(places)
    assert finding.startswith("the time stamp toy.4.tsr does not hold: ")
    with pytest.raises(AnchorError, match="The time stamp does not hold"):
        stamp(places, url)(head_of(places))


def test_a_damaged_or_lost_time_stamp_is_said(places: Places, url: str) -> None:
    anchor(places, stamp(places, url))
    token = places.record.with_name("toy.4.tsr")
    token.write_bytes(b"not a token")
    assert check(places)[0][0].startswith("the time stamp toy.4.tsr cannot be read")
    token.unlink()
    assert verify(places.record, places=places).notes == ("the time stamp toy.4.tsr is not beside the record any more",)


@pytest.mark.parametrize(
    ("url", "said"), [("file:///etc/passwd", "web address"), ("http://127.0.0.1:9", "did not answer")]
)
def test_an_authority_that_is_none_is_named_and_nothing_is_stored(places: Places, url: str, said: str) -> None:
    with pytest.raises(AnchorError, match=said):
        stamp(places, url)(head_of(places))
    assert not list(places.record.parent.glob("*.tsr"))
