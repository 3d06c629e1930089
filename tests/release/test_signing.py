"""Keys, envelopes and whose signature counts; `ssh-keygen` and the DSSE protocol say what is right."""

from __future__ import annotations

import base64
import json
import shutil
import stat
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from rai_kedro.release.keys import SigningError, SigningKey
from rai_kedro.release.signing import (
    PAYLOAD_TYPE,
    Envelope,
    Reviewer,
    Reviewers,
    Signature,
    check_demo_signature,
    check_signature,
    encode_to_sign,
    find_signing_key,
    read_reviewers,
    sign,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "housing/3", "digest": {"sha256": "ab" * 32}}],
    "predicateType": "https://rai-kedro.example/decision/v1",
    "predicate": {"decision": "approve", "reviewer": "Ada Reviewer", "statement": "gelesen, für gut befunden"},
}
SSH_KEYGEN = shutil.which("ssh-keygen") or ""
SSH = pytest.mark.skipif(not SSH_KEYGEN, reason="ssh-keygen is not installed")


@pytest.fixture(autouse=True)
def _no_key_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAI_KEDRO_KEY", raising=False)
    monkeypatch.delenv("RAI_KEDRO_PASSPHRASE", raising=False)


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.generate()


def person(key: SigningKey, name: str = "Ada Reviewer", **more: Any) -> Reviewer:
    known = {"roles": ["reviewer"], "key": key.public, "valid_from": "2026-01-01", "valid_until": "2026-12-31"}
    return Reviewer.from_dict({"name": name, **known, **more})


def list_of(*people: Reviewer) -> Reviewers:
    return Reviewers(reviewers=people)


def ssh_keygen(*arguments: str | Path) -> str:
    return subprocess.run([SSH_KEYGEN, *map(str, arguments)], capture_output=True, text=True, check=True).stdout


class TestKeys:
    def test_a_saved_key_comes_back_and_only_its_owner_may_read_it(self, key: SigningKey, tmp_path: Path) -> None:
        path = tmp_path / "keys" / "ada.key"
        key.save(path, None)
        assert SigningKey.load(path).keyid == key.keyid
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert path.with_name("ada.key.pub").read_text() == f"{key.public}\n"

    def test_nothing_is_overwritten(self, key: SigningKey, tmp_path: Path) -> None:
        path = tmp_path / "ada.key"
        key.save(path, None)
        before = path.read_bytes()
        with pytest.raises(SigningError, match="There is a file already"):
            SigningKey.generate().save(path, None)
        assert path.read_bytes() == before

    def test_a_passphrase_is_needed_and_must_be_right(self, key: SigningKey, tmp_path: Path) -> None:
        path = tmp_path / "ada.key"
        key.save(path, "für mich")
        assert SigningKey.load(path, "für mich").keyid == key.keyid
        with pytest.raises(SigningError, match="has a passphrase"):
            SigningKey.load(path)
        with pytest.raises(SigningError, match="passphrase is wrong"):
            SigningKey.load(path, "other")

    def test_a_passphrase_for_a_key_without_one_does_no_harm(self, key: SigningKey, tmp_path: Path) -> None:
        key.save(tmp_path / "ada.key", None)
        assert SigningKey.load(tmp_path / "ada.key", "not needed").keyid == key.keyid

    def test_what_is_no_key_is_refused(self, key: SigningKey, tmp_path: Path) -> None:
        path = tmp_path / "ada.key"
        with pytest.raises(SigningError, match="No such file"):
            SigningKey.load(path)
        path.write_text("hello")
        path.chmod(0o600)
        with pytest.raises(SigningError, match="not an OpenSSH private key"):
            SigningKey.load(path)

    def test_a_key_that_others_may_read_is_refused(self, key: SigningKey, tmp_path: Path) -> None:
        path = tmp_path / "ada.key"
        key.save(path, None)
        path.chmod(0o640)
        with pytest.raises(SigningError, match="Others may read") as refused:
            SigningKey.load(path)
        assert "chmod 600" in str(refused.value)

    @SSH
    @pytest.mark.parametrize("passphrase", ["", "secret words"])
    def test_a_key_of_ssh_keygen_signs(self, passphrase: str, tmp_path: Path) -> None:
        path = tmp_path / "id_ed25519"
        ssh_keygen("-q", "-t", "ed25519", "-N", passphrase, "-C", "ada@somewhere", "-f", path)
        key = SigningKey.load(path, passphrase)
        listed = (tmp_path / "id_ed25519.pub").read_text()  # with its comment
        reviewers = list_of(Reviewer.from_dict({**person(key).to_dict(), "key": listed}))
        assert check_signature(sign(STATEMENT, key), reviewers, NOW).name == "Ada Reviewer"
        assert ssh_keygen("-l", "-f", path).split()[1] == key.keyid

    @SSH
    def test_ssh_keygen_reads_a_key_of_ours(self, key: SigningKey, tmp_path: Path) -> None:
        path = tmp_path / "ada.key"
        key.save(path, "secret")
        assert ssh_keygen("-y", "-P", "secret", "-f", path).split()[:2] == key.public.split()
        assert ssh_keygen("-l", "-f", path).split()[1] == key.keyid

    @SSH
    def test_a_second_key_of_ssh_keygen_signs_released_files(self, key: SigningKey, tmp_path: Path) -> None:
        path = tmp_path / "ada.key"
        key.save(path, None)
        (tmp_path / "ada.key.model").unlink()
        assert SigningKey.load(path).model_public is None
        ssh_keygen("-q", "-t", "ecdsa", "-b", "256", "-N", "", "-f", f"{path}.model")
        listed = (tmp_path / "ada.key.model.pub").read_text()
        assert person(key, model_key=listed).model_key == SigningKey.load(path).model_public
        (tmp_path / "ada.key.model").write_bytes(path.read_bytes())
        with pytest.raises(SigningError, match="not an ECDSA key"):
            SigningKey.load(path)

    @SSH
    def test_a_key_of_another_kind_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "id_ecdsa"
        ssh_keygen("-q", "-t", "ecdsa", "-N", "", "-f", path)
        with pytest.raises(SigningError, match="not an Ed25519 key"):
            SigningKey.load(path)


class TestEnvelope:
    def test_what_is_signed_is_encoded_as_in_the_protocol(self) -> None:
        # https://github.com/secure-systems-lab/dsse/blob/master/protocol.md, "Test Vectors"
        encoded = encode_to_sign("http://example.com/HelloWorld", b"hello world")
        assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"

    def test_lengths_are_of_bytes(self) -> None:
        assert encode_to_sign("ä", "für".encode()) == "DSSEv1 2 ä 4 für".encode()

    def test_the_payload_is_the_statement_in_canonical_form(self, key: SigningKey) -> None:
        envelope = sign(STATEMENT, key)
        content = base64.b64decode(envelope.payload)
        assert content == json.dumps(STATEMENT, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert envelope.statement == STATEMENT
        assert envelope.payloadType == "application/vnd.in-toto+json"

    def test_it_goes_through_json(self, key: SigningKey) -> None:
        envelope = sign(STATEMENT, key)
        again = Envelope.from_dict(json.loads(json.dumps(envelope.to_dict())))
        assert again == envelope
        assert check_signature(again, list_of(person(key)), NOW).keyid == key.keyid

    @pytest.mark.parametrize("value", [float("nan"), 2**60, {1, 2}, "\ud800"])
    def test_what_json_cannot_hold_is_not_signed(self, key: SigningKey, value: Any) -> None:
        with pytest.raises(SigningError, match="JSON cannot hold it"):
            sign({**STATEMENT, "predicate": {"value": value}}, key)

    def test_what_is_no_statement_is_not_signed(self, key: SigningKey) -> None:
        with pytest.raises(SigningError, match="not an in-toto Statement"):
            sign({"hello": 1}, key)

    @pytest.mark.parametrize(
        "payload", [b"{", b"[1]", b'{"a":1,"a":2}', b'{ "a": 1}', b'{"b":1,"a":2}', b'{"a":NaN}', b"[" * 100_000]
    )
    def test_an_ambiguous_payload_is_refused(self, payload: bytes) -> None:
        envelope = Envelope(payloadType=PAYLOAD_TYPE, payload=base64.b64encode(payload).decode(), signatures=())
        with pytest.raises(SigningError, match="not a JSON object in the form of RFC 8785"):
            _ = envelope.statement

    def test_what_is_not_base64_is_refused(self, key: SigningKey) -> None:
        envelope = sign(STATEMENT, key)
        with pytest.raises(SigningError, match="'payload' of the envelope is not base64"):
            _ = envelope.model_copy(update={"payload": "!" + envelope.payload}).statement
        broken = Signature(keyid=key.keyid, sig="no base64")
        with pytest.raises(SigningError, match="'sig' of the envelope is not base64"):
            check_signature(envelope.model_copy(update={"signatures": (broken,)}), list_of(person(key)), NOW)


def _change(statement: dict[str, Any]) -> str:
    changed = {**statement, "predicate": {**statement["predicate"], "decision": "reject"}}
    return sign(changed, SigningKey.generate()).payload


class TestWhoSigned:
    def test_the_owner_of_the_key(self, key: SigningKey) -> None:
        reviewers = list_of(person(SigningKey.generate(), "Bob"), person(key))
        assert check_signature(sign(STATEMENT, key), reviewers, NOW).name == "Ada Reviewer"

    def test_a_changed_payload_is_refused(self, key: SigningKey) -> None:
        forged = sign(STATEMENT, key).model_copy(update={"payload": _change(STATEMENT)})
        assert forged.statement["predicate"]["decision"] == "reject"
        with pytest.raises(SigningError, match="does not fit"):
            check_signature(forged, list_of(person(key)), NOW)

    def test_a_signature_over_another_kind_of_payload_is_refused(self, key: SigningKey) -> None:
        forged = sign(STATEMENT, key).model_copy(update={"payloadType": "text/plain"})
        with pytest.raises(SigningError, match="does not hold an in-toto statement"):
            check_signature(forged, list_of(person(key)), NOW)

    def test_a_bare_signature_of_the_payload_is_refused(self, key: SigningKey) -> None:
        envelope = sign(STATEMENT, key)
        bare = base64.b64encode(key.sign(base64.b64decode(envelope.payload))).decode()
        forged = envelope.model_copy(update={"signatures": (Signature(keyid=key.keyid, sig=bare),)})
        with pytest.raises(SigningError, match="does not fit"):
            check_signature(forged, list_of(person(key)), NOW)

    def test_a_borrowed_key_id_is_refused(self, key: SigningKey) -> None:
        other = sign(STATEMENT, SigningKey.generate())
        forged = other.model_copy(update={"signatures": (Signature(keyid=key.keyid, sig=other.signatures[0].sig),)})
        with pytest.raises(SigningError, match="does not fit"):
            check_signature(forged, list_of(person(key)), NOW)

    def test_an_unknown_key_is_named(self, key: SigningKey) -> None:
        with pytest.raises(SigningError, match="nobody's") as refused:
            check_signature(sign(STATEMENT, key), list_of(), NOW)
        assert key.keyid in str(refused.value)

    @pytest.mark.parametrize("count", [0, 2])
    def test_exactly_one_signature(self, key: SigningKey, count: int) -> None:
        envelope = sign(STATEMENT, key)
        with pytest.raises(SigningError, match="exactly one signature") as refused:
            check_signature(
                envelope.model_copy(update={"signatures": envelope.signatures * count}), list_of(person(key)), NOW
            )
        assert f"it has {count}" in str(refused.value)

    @pytest.mark.parametrize(
        ("moment", "valid"),
        [
            ("2025-12-31T23:59:59+00:00", False),
            ("2026-01-01T00:00:00+00:00", True),
            ("2026-12-31T23:59:59+00:00", True),
            ("2027-01-01T00:00:00+00:00", False),
            ("2026-12-31T23:00:00-05:00", False),  # the day after in UTC
            ("2026-01-01T01:00:00+05:00", False),  # the day before in UTC
        ],
    )
    def test_the_key_must_be_valid_then(self, key: SigningKey, moment: str, valid: bool) -> None:
        at, envelope, reviewers = datetime.fromisoformat(moment), sign(STATEMENT, key), list_of(person(key))
        if valid:
            assert check_signature(envelope, reviewers, at).name == "Ada Reviewer"
        else:
            with pytest.raises(SigningError, match="Ada Reviewer was not valid on"):
                check_signature(envelope, reviewers, at)

    def test_a_time_without_zone_is_refused(self, key: SigningKey) -> None:
        with pytest.raises(SigningError, match="no time zone"):
            check_signature(sign(STATEMENT, key), list_of(person(key)), datetime(2026, 5, 1))

    def test_a_demonstration_key(self, key: SigningKey) -> None:
        envelope = sign(STATEMENT, key)
        check_demo_signature(envelope, key.public)
        with pytest.raises(SigningError, match="another key"):
            check_demo_signature(envelope, SigningKey.generate().public)
        with pytest.raises(SigningError, match="cannot be read"):
            check_demo_signature(envelope, "no key")
        with pytest.raises(SigningError, match="does not fit"):
            check_demo_signature(envelope.model_copy(update={"payload": _change(STATEMENT)}), key.public)


ENTRY = """\
  - name: {name}
    roles: [reviewer]
    key: {key}
    valid_from: 2026-01-01
    valid_until: {until}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "reviewers.yml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def entry(name: str = "Ada Reviewer", key: str | None = None, until: str = "2026-12-31") -> str:
    return ENTRY.format(name=name, key=key or SigningKey.generate().public, until=until)


class TestReviewers:
    def test_the_list_of_the_project_is_read(self) -> None:
        listed = read_reviewers(Path(__file__).resolve().parents[2] / "conf/base/reviewers.yml")
        assert listed == Reviewers(demo_in=("local", "test", "base"))

    def test_nobody_without_a_file(self, tmp_path: Path) -> None:
        assert read_reviewers(tmp_path / "absent.yml") == Reviewers()

    def test_entries_are_read(self, write: Callable[[str], Path], key: SigningKey) -> None:
        text = (
            "reviewers:\n" + entry(key=f"{key.public} ada@desk") + "    accounts: [ada, a.reviewer]\ndemo_in: [test]\n"
        )
        found = read_reviewers(write(text))
        ada = found.find(key.keyid)
        assert ada is not None
        assert (ada.name, ada.roles, ada.key) == ("Ada Reviewer", ("reviewer",), key.public)
        assert (ada.valid_until, ada.accounts) == (date(2026, 12, 31), ("ada", "a.reviewer"))
        assert found.demo_in == ("test",)
        assert found.find("SHA256:other") is None

    def test_a_next_key_of_the_same_person(self, write: Callable[[str], Path]) -> None:
        later = entry().replace("2026-12-31", "2027-12-31").replace("2026-01-01", "2027-01-01")
        assert len(read_reviewers(write("reviewers:\n" + entry() + later)).reviewers) == 2

    @pytest.mark.parametrize(
        ("text", "line", "message"),
        [
            ("reviewers:\n" + entry() + entry("Bob", until="2026-01-01"), 7, "is not after valid_from"),
            ("reviewers:\n" + entry() + entry("ada reviewer"), 1, "two keys at the same time"),
            ("reviewers:\n" + entry(key="ssh-rsa AAAA"), 4, "not a public key in OpenSSH's form"),
            ("reviewers:\n" + entry() + f"    model_key: {SigningKey.generate().public}\n", 7, "not an ECDSA key"),
            ("reviewers:\n" + entry() + entry("Bob").replace("[reviewer]", "[]"), 8, "at least 1 item"),
            ("reviewers:\n" + entry().replace("[reviewer]", "[Boss!]"), 3, "pattern"),
            ("reviewers:\n" + entry('"A\\u202eda"'), 2, "a character that is not shown"),
            ("reviewers:\n" + entry() + "    rolles: [x]\n", 7, "Extra inputs"),
            ("reviewers:\n" + entry().replace("    valid_from: 2026-01-01\n", ""), 2, "Field required"),
            ("reviewers:\ndemo_in: [test, prod]\n", 2, "may not stand for a person in 'prod'"),
            ("reviewers: 3\n", 1, "valid tuple"),
            ("- a\n", 1, "valid dictionary"),
            ("reviewers:\nreviewers:\n", 2, "not valid YAML"),
            ("reviewers:\n  - name: [\n", 3, "not valid YAML"),
        ],
    )
    def test_what_is_wrong_is_named_with_its_line(
        self, write: Callable[[str], Path], text: str, line: int, message: str
    ) -> None:
        with pytest.raises(SigningError) as refused:
            read_reviewers(write(text))
        assert message in str(refused.value)
        assert str(refused.value.where).endswith(f"reviewers.yml, line {line}")

    def test_one_key_for_two_is_refused(self, write: Callable[[str], Path], key: SigningKey) -> None:
        with pytest.raises(SigningError, match="the key of Bob is that of Ada Reviewer"):
            read_reviewers(write("reviewers:\n" + entry(key=key.public) + entry("Bob", key=f"{key.public} x")))

    def test_aliases_are_refused(self, write: Callable[[str], Path]) -> None:
        text = (
            "reviewers:\n" + entry().replace("[reviewer]", "&r [reviewer]") + entry("Bob").replace("[reviewer]", "*r")
        )
        with pytest.raises(SigningError, match="aliases"):
            read_reviewers(write(text))


class TestFindingTheKey:
    def test_the_chosen_file_then_the_variable_then_the_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, keys = tmp_path / "keys", [SigningKey.generate() for _ in range(3)]
        paths = [tmp_path / "chosen", tmp_path / "variable", folder / "ada.key"]
        for one, path in zip(keys, paths, strict=True):
            one.save(path, None)
        SigningKey.generate().save(folder / "stranger.key", None)
        reviewers = list_of(person(keys[2]))
        assert find_signing_key(folder, None, reviewers, "reviewer").keyid == keys[2].keyid
        monkeypatch.setenv("RAI_KEDRO_KEY", str(paths[1]))
        assert find_signing_key(folder, None, reviewers, "reviewer").keyid == keys[1].keyid
        assert find_signing_key(folder, paths[0], reviewers, "reviewer").keyid == keys[0].keyid

    def test_none_is_said_with_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(SigningError, match="no key to sign with") as refused:
            find_signing_key(tmp_path / "keys", None, list_of(), "reviewer")
        assert "kedro rai keys new" in str(refused.value)

    def test_a_key_of_nobody_is_named(self, key: SigningKey, tmp_path: Path) -> None:
        key.save(tmp_path / "mine.key", None)
        with pytest.raises(SigningError, match="None of the keys that are there may sign as reviewer") as refused:
            find_signing_key(tmp_path, None, list_of(), "reviewer")
        assert f"mine.key {key.keyid}" in str(refused.value)
        assert "conf/base/reviewers.yml" in str(refused.value)

    def test_several_are_named(self, tmp_path: Path) -> None:
        keys = {name: SigningKey.generate() for name in ("ada", "bob")}
        for name, one in keys.items():
            one.save(tmp_path / f"{name}.key", None)
        with pytest.raises(SigningError, match="More than one key with which to sign as reviewer") as refused:
            find_signing_key(tmp_path, None, list_of(*(person(one, name) for name, one in keys.items())), "reviewer")
        assert "ada.key" in str(refused.value)
        assert "--key" in str(refused.value)

    def test_a_passphrase_is_asked_only_where_it_is_needed(
        self, key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[Path] = []

        def ask(path: Path) -> str:
            asked.append(path)
            return "secret"

        key.save(tmp_path / "ada.key", "secret")
        SigningKey.generate().save(tmp_path / "other.key", "unknown")
        reviewers = list_of(person(key))
        assert find_signing_key(tmp_path, None, reviewers, "reviewer", ask).keyid == key.keyid
        assert asked == [tmp_path / "ada.key"]
        monkeypatch.setenv("RAI_KEDRO_PASSPHRASE", "secret")
        assert find_signing_key(tmp_path, None, reviewers, "reviewer", ask).keyid == key.keyid
        assert len(asked) == 1
