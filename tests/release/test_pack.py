"""A pack is checked by the file in it, as a stranger would, and every kind of change to it is found."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient

from rai_kedro.release import (
    Reviewers,
    ReviewRequest,
    TrainerKey,
    Trust,
    approve,
    checked_files,
    find_version,
    read_evidence,
    reject,
    sign_release,
)
from rai_kedro.release.decisions import read_decision, sign_review
from rai_kedro.release.pack import PackError, collect_pack, complete_pack, write_pack
from rai_kedro.release.record import chain, to_line
from rai_kedro.release.verifier import REVIEWERS, SUMS, Findings, Pack, canonical, check, describe, main, read_files

from .conftest import DEMO_KEY, KEYS, NOW, Register

ADA, BEN = KEYS["Ada Reviewer"], KEYS["Somebody Else"]
LISTED = {
    "reviewers": [
        {
            "name": name,
            "roles": ["reviewer"],
            "key": key.public,
            "model_key": key.model_public,
            "valid_from": "2024-01-01",
            "valid_until": "2030-12-31",
            "accounts": accounts,
        }
        for name, key, accounts in (("Ada Reviewer", ADA, ["ada"]), ("Somebody Else", BEN, ["ben"]))
    ],
    "demo_in": ["test"],
}
TRUSTED = Trust(Reviewers.from_dict(LISTED), "test")
Files = dict[str, bytes]
Make = Callable[[], Files]


@pytest.fixture
def make(client: MlflowClient, use_case: str, evidence_path: Path) -> Make:
    """Pack version 1 as the command does, without what other rooms add."""

    def make_pack() -> Files:
        version, entries = find_version(client, use_case, "1"), read_evidence(evidence_path)
        with checked_files(version, entries) as found:
            files = collect_pack(version, found, entries, TRUSTED, json.dumps(LISTED).encode())
            return complete_pack({**files, "monitoring/monitoring.json": b'{"months":[]}'}, found, "not there")

    return make_pack


_ONCE: Files = {}


@pytest.fixture
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """Give the pack of a version that Ada approved and signed; made once, since nothing in it is changed."""
    if not _ONCE:
        client, register, ask, make, evidence, use_case = (
            request.getfixturevalue(name) for name in ("client", "register", "ask", "make", "evidence_path", "use_case")
        )
        register()
        approve(client, ask(), evidence, TRUSTED)
        version = find_version(client, use_case, "1")
        assert "are signed, too" in sign_release(version, read_evidence(evidence), ADA, TRUSTED)
        _ONCE.update(make())
    return dict(_ONCE)


def judge(files: Files, *, listed: Any = None, now: datetime = NOW, head: str | None = None) -> Findings:
    reviewers = json.loads(files[REVIEWERS]) if listed is None else listed
    return check(Pack(files, reviewers["reviewers"], "list", listed is not None, now, (head,) if head else ()))


def sum_up(files: Files) -> Files:
    """Write the sums anew, as who changes a file on purpose would."""
    rest = {name: content for name, content in files.items() if name != SUMS}
    sums = "".join(f"{hashlib.sha256(rest[name]).hexdigest()}  {name}\n" for name in sorted(rest))
    return {**rest, SUMS: sums.encode()}


class TestSound:
    def test_everything_holds_with_keys_from_elsewhere(self, packed: Files) -> None:
        head = json.loads(packed["record.jsonl"].splitlines()[-1])["hash"]
        found = judge(packed, listed=LISTED, head=head)
        assert found.fails == []
        said = "\n".join(found.holds)
        assert "line 2, approved by Ada Reviewer as reviewer: signature and place hold" in said
        assert "signatures/0002-model.sig: Ada Reviewer signed the files of model/" in said
        assert "signatures/0002-card.sig: Ada Reviewer signed the files of model_card/" in said
        assert [line.partition(":")[0][:40] for line in found.unchecked] == [
            "who trained it",
            "this program itself",
        ]

    def test_what_hangs_on_the_pack_alone_is_said(self, packed: Files) -> None:
        said = "\n".join(judge(packed).unchecked)
        assert "they come from the pack itself" in said
        assert "compare the newest hash" in said

    def test_the_zip_is_the_same_every_time_and_takes_no_place(self, packed: Files, tmp_path: Path) -> None:
        first, again = tmp_path / "first.zip", tmp_path / "again.zip"
        digest = write_pack(first, packed)
        write_pack(again, dict(reversed(packed.items())))
        assert first.read_bytes() == again.read_bytes()
        assert digest == hashlib.sha256(first.read_bytes()).hexdigest()
        assert read_files(first) == packed
        with pytest.raises(PackError, match="overwrites nothing"):
            write_pack(first, packed)
        assert sorted(path.name for path in tmp_path.glob("*.zip")) == ["again.zip", "first.zip"]

    def test_a_stranger_needs_cryptography_and_nothing_of_ours(self, packed: Files, tmp_path: Path) -> None:
        library = tmp_path / "library"
        library.mkdir()
        for name in ("cryptography", "cffi", "_cffi_backend"):
            spec = importlib.util.find_spec(name)
            assert spec is not None
            place = Path(str(spec.origin))
            place = place.parent if place.name == "__init__.py" else place
            (library / place.name).symlink_to(place)
        pack = tmp_path / "pack"
        for name, content in packed.items():
            (pack / name).parent.mkdir(parents=True, exist_ok=True)
            (pack / name).write_bytes(content)
        listed = tmp_path / "reviewers.json"
        listed.write_text(json.dumps(LISTED))

        def run(code: str) -> subprocess.CompletedProcess[str]:
            # Without the site's packages: what the tests run in has the project, a stranger's machine has not.
            start = f"import sys, runpy; sys.path.append({str(library)!r}); "
            command = [sys.executable, "-I", "-S", "-c", start + code]
            return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

        assert "No module named 'rai_kedro'" in run("import rai_kedro").stderr
        assert "No module named 'rfc8785'" in run("import rfc8785").stderr
        call = f"sys.argv = ['verify.py', '--reviewers', {str(listed)!r}]; "
        call += f"runpy.run_path({str(pack / 'verify.py')!r}, run_name='__main__')"
        done = run(call)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.rstrip().endswith("DOES NOT HOLD\n  - nothing")
        (pack / "contract.json").write_text("{}")
        done = run(call)
        assert done.returncode == 1
        assert "contract.json is not what was trained" in done.stdout

    def test_public_tools_check_decision_and_released_files(self, packed: Files, tmp_path: Path) -> None:
        for name, content in packed.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        stem = "decisions/0002-approve"
        signing = ["-rawin", "-in", f"{stem}.signed", "-sigfile", f"{stem}.sig"]
        module = [sys.executable, "-m", "model_signing", "verify", "key"]
        public = ["--public_key", f"{stem}.model.pem", "--no-ignore-git-paths"]
        for command in (
            ["sha256sum", "-c", SUMS, "--quiet"],
            ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"{stem}.pem", *signing],
            [*module, "model", "--signature", "signatures/0002-model.sig", *public],
            [*module, "model_card", "--signature", "signatures/0002-card.sig", *public],
        ):
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
        show = ["ssh-keygen", "-l", "-f", f"{stem}.pub"]
        keys = subprocess.run(show, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert ADA.keyid in keys.stdout
        assert hashlib.sha256(packed["manifest.json"]).hexdigest().encode() in packed[f"{stem}.signed"]


class TestTampered:
    @pytest.mark.parametrize(
        "name",
        [
            "model/MLmodel",
            "model/model.skops",
            "model_card/model_card_v1.html",
            "model_card/model_card_v1.md",
            "model_card/model_card_v1.json",
            "contract.json",
            "parameters.json",
            "reference/reference.parquet",
            "reference/baseline.json",
            "reports/fairness_gate.json",
            "reports/fairness_assessment.json",
            "manifest.json",
            "policy.json",
            "record.jsonl",
            "decisions/0002-approve.json",
            "decisions/0002-approve.signed",
            "decisions/0002-approve.sig",
            "decisions/0002-approve.pub",
            "decisions/0002-approve.pem",
            "decisions/0002-approve.model.pem",
            "signatures/0002-model.sig",
            "signatures/0002-card.sig",
        ],
    )
    def test_an_edited_or_missing_file_is_found_though_the_sums_were_made_anew(self, packed: Files, name: str) -> None:
        middle, content = len(packed[name]) // 2, packed[name]
        edited = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        names = {"manifest.json": "the manifest", "record.jsonl": "the record", "policy.json": "the pack's copies"}
        found = judge(sum_up({**packed, name: edited})).fails
        assert any(said in one for said in (name, names.get(name, name)) for one in found), found
        gone = judge(sum_up({one: content for one, content in packed.items() if one != name}))
        if name.endswith((".pub", ".pem")):
            assert gone.fails == []  # a convenience for other tools; the list of reviewers has it
        elif name.startswith("signatures/"):
            assert len(gone.holds) == len(judge(packed).holds) - 1
        else:
            assert any(said in one for said in (name, names.get(name, name)) for one in gone.fails), gone.fails

    @pytest.mark.parametrize("name", ["README.txt", "verify.py", "keys/reviewers.yml"])
    def test_what_nothing_signed_names_is_found_by_the_sums(self, packed: Files, name: str) -> None:
        assert judge({**packed, name: b"[]"}).fails == [f"{SUMS}: {name} changed"]
        assert judge({**packed, "more.txt": b""}).fails == [f"{SUMS}: more.txt was added"]

    @pytest.mark.parametrize("name", ["model/more.py", "model_card/model_card_v1.pdf"])
    def test_a_file_added_to_model_or_card_is_found(self, packed: Files, name: str) -> None:
        found = judge(sum_up({**packed, name: b""})).fails
        assert f"{name} was added" in found
        assert any(one.startswith("signatures/") and "not those that were signed" in one for one in found)

    def test_a_key_put_in_anothers_place_is_found(self, packed: Files) -> None:
        listed = json.loads(packed[REVIEWERS])
        listed["reviewers"][0]["key"] = BEN.public
        packed[REVIEWERS] = json.dumps(listed).encode()
        assert any("is of nobody in" in one for one in judge(sum_up(packed)).fails)

    def test_a_pack_forged_as_a_whole_fails_by_keys_from_elsewhere(self, packed: Files) -> None:
        stranger = json.loads(json.dumps(LISTED))
        stranger["reviewers"][0]["key"] = KEYS["Ada"].public
        assert judge(packed).fails == []
        assert any("is of nobody in" in one for one in judge(packed, listed=stranger).fails)

    def test_a_record_chained_anew_is_found(self, packed: Files) -> None:
        trained, approved = map(json.loads, packed["record.jsonl"].splitlines())
        body = {**trained["body"], "trained_by": "nobody"}
        first = chain(1, "0" * 64, "trained", body, trained["recorded_at"])
        second = chain(2, first.hash, "approve", approved["body"], approved["recorded_at"])
        packed["record.jsonl"] = to_line(first) + to_line(second)
        found = judge(sum_up(packed), head=approved["hash"]).fails
        assert any("was signed for another place in a record" in one for one in found)
        assert any("is not in the record" in one for one in found)

    def test_an_end_cut_off_is_found_by_the_hash_noted_elsewhere(self, packed: Files) -> None:
        first, second = packed["record.jsonl"].splitlines(keepends=True)
        for name in [name for name in packed if name.startswith(("decisions/", "signatures/"))]:
            del packed[name]
        files = sum_up({**packed, "record.jsonl": first})
        assert judge(files).fails == []
        assert any("nobody has approved" in one for one in judge(files).unchecked)
        assert "is not in the record" in judge(files, head=json.loads(second)["hash"]).fails[0]

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_nothing_in_a_pack_makes_the_check_fall_over(self, packed: Files, data: st.DataObject) -> None:
        files = dict(packed)
        name = data.draw(st.sampled_from(sorted({*files} - {REVIEWERS})))
        other = data.draw(st.one_of(st.binary(max_size=40), json_values().map(lambda one: json.dumps(one).encode())))
        assume(other != files[name])
        pack = Pack({**files, name: other}, LISTED["reviewers"], "list", True, NOW)
        assert check(pack).fails
        assert list(describe(pack))

    def test_a_time_stamp_of_another_line_is_found(self, packed: Files) -> None:
        head = json.loads(packed["record.jsonl"].splitlines()[0])["hash"].encode()
        token = b"a token with " + hashlib.sha256(head).digest()
        stamped = {**packed, "anchors/1.tsr": token, "anchors/1.head": head}
        found = judge(sum_up(stamped))
        assert found.fails == []
        assert any("anchors/1.tsr stamps line 1" in one for one in found.unchecked)
        for name, content in {"anchors/1.tsr": b"other", "anchors/1.head": b"0" * 64, "anchors/2.tsr": token}.items():
            assert judge(sum_up({**stamped, name: content})).fails == [f"{name} is not of that line of the record"]


class TestStanding:
    def test_an_approval_that_ran_out(self, packed: Files) -> None:
        found = judge(packed, now=NOW + timedelta(days=366)).fails
        assert found[0].startswith("line 2, approved by Ada Reviewer: it ran out on")
        assert judge(packed, now=NOW + timedelta(days=364)).fails == []

    def test_a_rejection_outranks(
        self,
        packed: Files,
        client: MlflowClient,
        register: Register,
        ask: Callable[..., ReviewRequest],
        evidence_path: Path,
        make: Make,
    ) -> None:
        register()
        approve(client, ask(), evidence_path, TRUSTED)
        reject(client, ask(statement="found wanting"), evidence_path)
        (said,) = judge(make()).fails
        assert "was rejected: line 3, rejected by Ada Reviewer: found wanting" in said

    def test_a_demonstration_is_nobodys_decision(
        self,
        client: MlflowClient,
        register: Register,
        ask: Callable[..., ReviewRequest],
        evidence_path: Path,
        use_case: str,
        make: Make,
    ) -> None:
        register()
        assert any("nobody has approved" in one for one in judge(make()).unchecked)
        approve(client, ask(demo=True), evidence_path, TRUSTED)
        version = find_version(client, use_case, "1")
        said = sign_release(version, read_evidence(evidence_path), DEMO_KEY, TRUSTED)
        assert "not signed themselves: a demonstration stands for nobody" in said
        found = judge(make())
        assert found.fails == []
        assert any("no person decided" in one for one in found.unchecked)
        assert any("have no signature of their own" in one for one in found.unchecked)

    def test_the_months_shown_are_those_on_record(self, packed: Files) -> None:
        shown = {"month": "2024-05", "model_version": "1", "verdict": {"outcome": "ok"}}
        body = {"month": "2024-05", "model_version": "1", "shown": hashlib.sha256(canonical(shown)).hexdigest()}
        last = json.loads(packed["record.jsonl"].splitlines()[-1])
        entry = to_line(chain(3, last["hash"], "month", body, last["recorded_at"]))
        files = {**packed, "record.jsonl": packed["record.jsonl"] + entry}
        name = "monitoring/monitoring.json"
        assert judge(sum_up({**files, name: json.dumps({"months": [shown]}).encode()})).fails == []
        calm = {**shown, "verdict": {"outcome": "alarm"}}
        (said,) = judge(sum_up({**files, name: json.dumps({"months": [calm]}).encode()})).fails
        assert said.startswith(f"{name}: 2024-05 by version 1 is not what its entry in the record says")
        (said,) = judge(sum_up({**files, name: b'{"months":[]}'})).fails
        assert "2024-05 by version 1 is gone" in said

    @pytest.mark.parametrize(
        ("claim", "said"),
        [
            ({"fairness_gate": "pass"}, "it says that the fairness gate said 'pass'; it said 'fail'"),
            ({"accepted_risk": ""}, "nobody accepted the risk of fairness: fail"),
            ({"expires_at": "2099-01-01T00:00:00+00:00"}, "the policy allows 365 days"),
        ],
        ids=["gate", "risk", "end"],
    )
    def test_a_reviewer_is_not_believed_on_gates_and_end(
        self,
        client: MlflowClient,
        register: Register,
        ask: Callable[..., ReviewRequest],
        evidence_path: Path,
        make: Make,
        claim: dict[str, str],
        said: str,
    ) -> None:
        """Whoever has the key signs what no command would have let through."""
        register(gate="fail")
        approve(client, ask(accept_risk="known"), evidence_path, TRUSTED)
        first, second = read_evidence(evidence_path)
        review = read_decision(second)[0].model_copy(update=claim)  # type: ignore[index]
        body = sign_review(review, ADA)
        evidence_path.write_bytes(to_line(first) + to_line(chain(2, first.hash, "approve", body, second.recorded_at)))
        assert any(said in one for one in judge(make()).fails), judge(make()).fails

    def test_a_training_signed_by_its_trainer(
        self,
        register: Register,
        make: Make,
    ) -> None:
        listed = json.loads(json.dumps(LISTED))
        listed["reviewers"][1]["roles"] = ["reviewer", "trainer"]
        register(key=TrainerKey(BEN, "Somebody Else"))
        signed = judge(make(), listed=listed)
        assert any(
            "line 1, trained by Somebody Else as trainer: signature and place hold" in one for one in signed.holds
        )
        assert any("as trainer: the key is Somebody Else's" in one for one in judge(make()).fails)

    def test_who_trained_approves_nothing_alone(self, packed: Files) -> None:
        listed = json.loads(json.dumps(LISTED))
        listed["reviewers"][0]["accounts"] = [json.loads(packed["manifest.json"])["trained_by"]]
        assert any("trained the version" in one for one in judge(packed, listed=listed).fails)

    def test_a_key_that_was_not_valid_then(self, packed: Files) -> None:
        listed = json.loads(json.dumps(LISTED))
        listed["reviewers"][0]["valid_until"] = "2024-02-01"
        assert any("the key was not valid on" in one for one in judge(packed, listed=listed).fails)


class TestSigning:
    def test_signatures_change_nothing_that_the_manifest_covers(
        self,
        client: MlflowClient,
        register: Register,
        ask: Callable[..., ReviewRequest],
        evidence_path: Path,
        use_case: str,
    ) -> None:
        register()
        approve(client, ask(), evidence_path, TRUSTED)
        version, entries = find_version(client, use_case, "1"), read_evidence(evidence_path)
        assert "nobody approved them with this key" in sign_release(version, entries, BEN, TRUSTED)
        keyless = Reviewers.from_dict(
            {"reviewers": [{**one, "model_key": None} for one in LISTED["reviewers"]]}  # type: ignore[dict-item]
        )
        assert "no part for released files" in sign_release(version, entries, ADA, Trust(keyless))
        assert version.read("signatures/0002-card.sig") is None
        assert "are signed, too" in sign_release(version, entries, ADA, TRUSTED)
        assert "are signed already" in sign_release(version, entries, ADA, TRUSTED)
        with checked_files(version, read_evidence(evidence_path)) as found:
            assert not [name for name in found.files if name.startswith("signatures/")]


class TestCommandLine:
    def test_hashes_noted_in_a_file_elsewhere(
        self, packed: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pack, anchors = tmp_path / "pack.zip", tmp_path / "anchors.jsonl"
        write_pack(pack, packed)
        use_case = json.loads(packed["manifest.json"])["use_case"]
        first, second = (json.loads(line)["hash"] for line in packed["record.jsonl"].splitlines())
        noted = [{"use_case": use_case, "sequence": 1, "head": first}, {"use_case": "another", "head": "0" * 64}]
        anchors.write_text("".join(f"{json.dumps(one)}\n" for one in noted))
        command = [str(pack), "--at", f"{NOW:%Y-%m-%d}", "--anchors", str(anchors)]
        assert main(command) == 0
        shown = capsys.readouterr().out
        assert "up to line 1 the record is as it was" in shown
        assert "unsigned ones after line 1 written anew" in shown
        assert main([*command, "--head", second]) == 0
        assert "unsigned ones after" not in capsys.readouterr().out
        assert main([*command, "--head", "0" * 64]) == 1

    def test_a_zip_or_a_list_that_cannot_be_read(
        self, packed: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pack = tmp_path / "pack.zip"
        write_pack(pack, packed)
        assert main([str(pack), "--at", f"{NOW:%Y-%m-%d}"]) == 0
        with zipfile.ZipFile(pack, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("contract.json", "{}")
        assert main([str(pack)]) == 1
        assert "a file is in the zip twice" in capsys.readouterr().out
        pack.write_bytes(b"PK")
        assert main([str(pack)]) == 1
        assert main([str(tmp_path / "nothing")]) == 1

    def test_a_link_is_no_file_of_a_pack(self, tmp_path: Path) -> None:
        (tmp_path / "manifest.json").symlink_to("/etc/hostname")
        with pytest.raises(ValueError, match="no plain file"):
            read_files(tmp_path)

    def test_nothing_reaches_the_terminal_as_a_command(
        self, packed: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pack = tmp_path / "pack.zip"
        write_pack(pack, {**packed, "\x1b[2Jred.txt": b"", "\u202eabc": b""})
        assert main([str(pack)]) == 1
        shown = capsys.readouterr().out
        assert "\\u{1b}[2Jred.txt was added" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown


def json_values() -> st.SearchStrategy[Any]:
    text = st.text(st.characters(exclude_categories=["Cs"]))
    numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1)
    leaves = st.none() | st.booleans() | numbers | text
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


class TestCanonical:
    @settings(max_examples=200, deadline=None)
    @given(value=json_values())
    def test_it_writes_what_rfc8785_writes(self, value: Any) -> None:
        assert canonical(value) == rfc8785.dumps(value)

    # The numbers of RFC 8785, appendix B.
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0, "0"),
            (-0.0, "0"),
            (5e-324, "5e-324"),
            (-5e-324, "-5e-324"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (9007199254740992.0, "9007199254740992"),
            (-9007199254740992.0, "-9007199254740992"),
            (295147905179352830000.0, "295147905179352830000"),
            (9.999999999999997e22, "9.999999999999997e+22"),
            (1e23, "1e+23"),
            (1.0000000000000001e23, "1.0000000000000001e+23"),
            (999999999999999700000.0, "999999999999999700000"),
            (999999999999999900000.0, "999999999999999900000"),
            (1e21, "1e+21"),
            (9.999999999999997e-7, "9.999999999999997e-7"),
            (0.000001, "0.000001"),
            (333333333.33333325, "333333333.33333325"),
            (-0.0000033333333333333333, "-0.0000033333333333333333"),
            (1424953923781206.2, "1424953923781206.2"),
        ],
    )
    def test_numbers_are_written_as_ecmascript_writes_them(self, value: float, text: str) -> None:
        assert canonical([value]) == f"[{text}]".encode()

    @pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, "\ud800"])
    def test_what_json_cannot_hold_is_refused(self, value: Any) -> None:
        with pytest.raises(ValueError):  # UnicodeEncodeError is one
            canonical([value])
