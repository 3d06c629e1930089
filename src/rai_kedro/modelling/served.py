"""A model that runs on a server of somebody else, read as one made elsewhere: it is asked, and never loaded.

The server speaks MLflow's scoring protocol (``mlflow models serve``): rows go to its ``/invocations`` as
``dataframe_split`` and come back as ``predictions``, one a row: a decision, an amount, a number that ranks, or the
probabilities of both outcomes. Its host has to be on a list; data go over https, or stay on this machine.

Nothing can be known of the code behind an address. So the answers to a few of the assessed rows are kept with the
version, and the server is asked these once more before a process uses it: one that answers otherwise is another model.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from typing import Any, Literal, Self
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.contract import canonical
from rai_kedro.modelling.estimator import ModellingError
from rai_kedro.modelling.given import GivenAmounts, GivenDecisions, High

Answers = Literal["decision", "probability", "score"]
_HERE = ("localhost", "127.0.0.1", "::1")
_PROBED = 5
_FIRST_PAUSE_S = 0.5
_OK, _REDIRECTED, _SERVER_ERROR, _FOR_A_WHILE = 200, 300, 500, (408, 425, 429)
_LONGEST_ANSWER = 64 * 2**20
_DIGITS = 9
# Answers by server and row, so that what is asked of a model several times in a run goes over the network once.
_KNOWN: dict[tuple[str, str], Any] = {}
_MOST_KNOWN = 500_000
_PROBED_ALREADY: set[tuple[str, str]] = set()


class _NoRedirect(HTTPRedirectHandler):
    """Takes a redirect for an answer: what goes to a host on the list goes to no other."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


class _Served:
    """How a server is asked; the parameters are those of the two classes below."""

    url: str
    token_env: str
    timeout_s: float
    retries: int
    batch_rows: int
    field: str | None

    @property
    def made_elsewhere(self) -> tuple[str, ...]:
        """Columns that hold what was made elsewhere: none, since a server is asked."""
        return ()

    @property
    def host(self) -> str:
        """Name of the host, in lower case.

        Raises:
            ModellingError: The address is none of https (on this machine also http), or holds more than a place.
        """
        try:
            parts = urlsplit(self.url)
            host = (parts.hostname or "").lower()
            plain = parts.scheme == "https" or (parts.scheme == "http" and host in _HERE)
            usable = plain and host and "@" not in parts.netloc and not parts.query and parts.port != 0
        except ValueError:
            usable, host = False, ""
        if not usable:
            # The address itself is not quoted: it may hold a secret.
            raise ModellingError(
                "The address of the model's server cannot be used.",
                where="estimator.params.url",
                remedy="give https://HOST/PATH (http only for this machine), without a user's name or '?'; a token "
                "goes into the environment variable that 'token_env' names",
            )
        return host

    def identify(self) -> str:
        """Say what the server says of itself, in a few words; its ``/version`` is that of MLflow, not of a model."""
        self.host  # noqa: B018 - refuses an address that cannot be used
        version = urlsplit(self.url)._replace(path=urlsplit(self.url).path.removesuffix("/invocations") + "/version")
        try:
            said = self._send(urlunsplit(version), None).decode("utf-8", "replace").strip()[:40]
        except ModellingError:
            said = ""
        return f"the server gives its version as {said}" if said else "the server does not give its version"

    def note_probe(self, rows: pd.DataFrame) -> None:
        """Keep a few rows and the digest of their answers, by which the model is known again."""
        asked = _write_rows(rows.head(_PROBED))
        self.probe_ = json.dumps({"columns": list(map(str, rows.columns)), "data": [json.loads(one) for one in asked]})
        self.probe_answers_ = _digest(self._ask(list(map(str, rows.columns)), asked))

    def ask(self, rows: pd.DataFrame) -> list[Any]:
        """Return the server's answer to each row; rows that are alike in every column are asked once.

        Raises:
            ModellingError: The server does not answer in time, or as the protocol wants it, or is another model now.
        """
        self._require_same_model()
        columns, written = list(map(str, rows.columns)), _write_rows(rows)
        place = f"{self.url} {self.field} {columns}"
        if len(_KNOWN) > _MOST_KNOWN:
            _KNOWN.clear()
        new = list(dict.fromkeys(one for one in written if (place, one) not in _KNOWN))
        answers = self._ask(columns, new) if new else []
        found = {
            **{one: _KNOWN[place, one] for one in written if (place, one) in _KNOWN},
            **dict(zip(new, answers, strict=True)),
        }
        _KNOWN.update({(place, one): answer for one, answer in found.items()})
        return [found[one] for one in written]

    def _require_same_model(self) -> None:
        probe, digest = getattr(self, "probe_", None), getattr(self, "probe_answers_", "")
        if probe is None or (self.url, digest) in _PROBED_ALREADY:
            return
        asked = json.loads(probe)
        now = _digest(self._ask(asked["columns"], [json.dumps(one) for one in asked["data"]]))
        if now != digest:
            _KNOWN.clear()
            raise ModellingError(
                "The model behind the server answers otherwise than the one that was assessed.",
                where=f"server {self.host}",
                how_many=f"{len(asked['data'])} rows were asked once more",
                example=f"digest of the answers {now[:12]}, it was {digest[:12]}",
                remedy="assess the model that is there now as a new version: run training, and have it reviewed",
            )
        _PROBED_ALREADY.add((self.url, digest))

    def _ask(self, columns: list[str], rows: Sequence[str]) -> list[Any]:
        return [answer for batch in _cut(rows, self.batch_rows) for answer in self._ask_batch(columns, batch)]

    def _ask_batch(self, columns: list[str], rows: Sequence[str]) -> list[Any]:
        self.host  # noqa: B018 - refuses an address that cannot be used
        body = f'{{"dataframe_split": {{"columns": {json.dumps(columns)}, "data": [{", ".join(rows)}]}}}}'
        answer = self._send(self.url, body.encode())
        try:
            told = json.loads(answer)
            found = told["predictions"]
        except (ValueError, KeyError, TypeError) as error:
            raise self._refuse("its answer is not JSON with 'predictions'", f"{answer[:80]!r}") from error
        if not isinstance(found, list) or len(found) != len(rows):
            how_many = f"{len(found) if isinstance(found, list) else 'no'} answers to {len(rows)} rows"
            raise self._refuse("it does not give one answer for each row", how_many)
        return [self._pick(one) for one in found]

    def _pick(self, answer: Any) -> Any:
        """Take of an answer what is asked for: a field, the probability of the second class, or the answer itself."""
        if isinstance(answer, dict):
            if self.field not in answer:
                raise self._refuse(
                    "its answers have several fields", ", ".join(map(str, answer)), "name one as 'field'"
                )
            return answer[self.field]
        if isinstance(answer, list):
            if len(answer) not in (1, 2):
                raise self._refuse("its answers are of several classes", f"{len(answer)} numbers for a row")
            return answer[-1]
        return answer

    def _send(self, url: str, body: bytes | None) -> bytes:
        """Post (or get), again after a pause where the server could not for the moment, so many times at most."""
        pause = _FIRST_PAUSE_S
        for left in range(self.retries, -1, -1):
            try:
                return self._send_once(url, body)
            except _Busy as error:
                if left == 0:
                    raise self._refuse(f"{error}, {self.retries + 1} times") from error
            time.sleep(pause)
            pause *= 2
        raise AssertionError("the last attempt either answers or is refused")

    def _send_once(self, url: str, body: bytes | None) -> bytes:
        headers = {"Content-Type": "application/json", "User-Agent": "rai_kedro"}
        if self.token_env:
            token = os.environ.get(self.token_env, "")
            if not token:
                raise self._refuse(f"the environment variable {self.token_env} is not set")
            headers["Authorization"] = f"Bearer {token}"
        request = Request(url, data=body, headers=headers)  # noqa: S310 - https, or this machine: see `host`
        try:
            with build_opener(_NoRedirect).open(request, timeout=self.timeout_s) as answer:
                content: bytes = answer.read(_LONGEST_ANSWER + 1)
        except HTTPError as error:
            with error:
                said = error.read(300).decode("utf-8", "replace")
            if error.code >= _SERVER_ERROR or error.code in _FOR_A_WHILE:
                raise _Busy(f"it answered {error.code}") from error
            redirect = ", a redirect, which is not followed" if _REDIRECTED <= error.code < 400 else ""  # noqa: PLR2004
            raise self._refuse(f"it answered {error.code}{redirect}", said or None) from error
        except (OSError, HTTPException) as error:
            raise _Busy(f"{type(error).__name__}: {getattr(error, 'reason', error)}") from error
        except ValueError as error:  # of a header or an address, which it would quote
            raise self._refuse(f"it cannot be asked ({type(error).__name__})") from error
        if len(content) > _LONGEST_ANSWER:
            raise self._refuse("its answer is too long", None, "ask for fewer rows at a time ('batch_rows')")
        return content

    def _refuse(self, why: str, example: str | None = None, remedy: str | None = None) -> ModellingError:
        return ModellingError(
            f"The model's server cannot be used: {why}.",
            where=f"server {self.host}",
            example=example,
            remedy=remedy or "see that the server serves this model, with these columns, by MLflow's scoring protocol",
        )


class _Busy(Exception):
    """The server could not answer for the moment."""


class ServedDecisions(_Served, GivenDecisions):
    """Decisions between two outcomes by a model on a server; 1 is the favourable one.

    Args:
        url: Where it is asked, ending in ``/invocations``.
        answers: What it answers: a ``decision``, the ``probability`` of an outcome, or a ``score`` that only ranks.
        favourable: The answer that is the favourable decision.
        high: Which outcome a high answer, and so being selected, stands for.
        rule: Fields of a `DecisionRule`, where it answers no decision; of a probability from one half on by default.
        field: Name of the answer, where the server gives several for a row.
        token_env: Environment variable with a bearer token; empty without one.
        timeout_s: Longest wait for one answer.
        retries: How often a server that fails for the moment is asked again.
        batch_rows: Rows asked at once.
    """

    def __init__(  # noqa: PLR0913 - scikit-learn wants each parameter by its name
        self,
        *,
        url: str,
        answers: Answers = "decision",
        favourable: Any = 1,
        high: High = "favourable",
        rule: dict[str, Any] | None = None,
        field: str | None = None,
        token_env: str = "",
        timeout_s: float = 30.0,
        retries: int = 3,
        batch_rows: int = 1000,
    ) -> None:
        self.url = url
        self.answers = answers
        self.favourable = favourable
        self.high = high
        self.rule = rule
        self.field = field
        self.token_env = token_env
        self.timeout_s = timeout_s
        self.retries = retries
        self.batch_rows = batch_rows
        self.classes_ = np.array([0, 1])

    @property
    def prediction(self) -> str | None:  # type: ignore[override] # follows from what is answered
        """Name under which a decision is read."""
        return "answer" if self.answers == "decision" else None

    @property
    def score(self) -> str | None:  # type: ignore[override] # follows from what is answered
        """Name under which a score is read."""
        return None if self.answers == "decision" else "answer"

    @property
    def probability(self) -> bool:  # type: ignore[override] # follows from what is answered
        """Whether the answer is the probability of an outcome."""
        return self.answers == "probability"

    @property
    def decides_by(self) -> Any:
        """The rule, typed; None where it answers decisions."""
        if self.rule is None and self.answers == "probability":
            from rai_kedro.modelling.given import DecisionRule

            return DecisionRule(threshold=0.5)
        return super().decides_by

    def describe(self) -> str:
        """Say in a few words where the answers come from, and by which rule."""
        rule = self.decides_by
        if rule is None:
            return f"it is asked at {self.host}, and {self.favourable!r} is the favourable answer"
        return f"it is asked at {self.host}; selected are {rule} in its answers, which is the {self.high} decision"

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Note which columns there are, and how the model answers a few rows."""
        super().fit(X)
        self.note_probe(X)
        return self

    def decide(self, rows: pd.DataFrame) -> tuple[npt.NDArray[np.int64], int]:
        """Return the decisions on all rows of a month, shape (rows,), and how many rows tie at a cut."""
        return super().decide(self._add_answers(rows))

    def count_against(self, rows: pd.DataFrame) -> int:
        """Return 0: there is either a decision or a score."""
        return 0

    def rank(self, rows: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Return the score so that more of it stands for the favourable outcome, shape (rows,)."""
        return super().rank(self._add_answers(rows))

    def _add_answers(self, rows: pd.DataFrame) -> pd.DataFrame:
        answers = self.ask(rows)
        if self.answers == "decision":
            known = {canonical(one) for one in answers if one is not None}
            if None in answers or len(known | {canonical(self.favourable)}) > 2:  # noqa: PLR2004 - two outcomes
                raise self._refuse("its answers are not two decisions", ", ".join(sorted(map(str, {*answers}))[:5]))
        else:
            answers = _read_numbers(self, answers, (0.0, 1.0) if self.probability else (-math.inf, math.inf))
        return rows.assign(answer=answers)


class ServedAmounts(_Served, GivenAmounts):
    """Amounts predicted by a model on a server, in the unit of the label; parameters are those of `ServedDecisions`."""

    prediction = "answer"

    def __init__(  # noqa: PLR0913 - scikit-learn wants each parameter by its name
        self,
        *,
        url: str,
        field: str | None = None,
        token_env: str = "",
        timeout_s: float = 30.0,
        retries: int = 3,
        batch_rows: int = 1000,
    ) -> None:
        self.url = url
        self.field = field
        self.token_env = token_env
        self.timeout_s = timeout_s
        self.retries = retries
        self.batch_rows = batch_rows

    def describe(self) -> str:
        """Say in a few words where the answers come from."""
        return f"it is asked at {self.host}"

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Note which columns there are, and how the model answers a few rows."""
        super().fit(X)
        self.note_probe(X)
        return self

    def predict(self, X: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Return what the server predicts, shape (rows,)."""
        return np.array(_read_numbers(self, self.ask(X), (-math.inf, math.inf)))


def _read_numbers(server: _Served, answers: Sequence[Any], within: tuple[float, float]) -> list[float]:
    numbers = [
        float(one) if isinstance(one, int | float) and not isinstance(one, bool) else math.nan for one in answers
    ]
    wrong = [at for at, one in enumerate(numbers) if not (math.isfinite(one) and within[0] <= one <= within[1])]
    if wrong:
        what = "finite numbers" if math.isinf(within[0]) else "probabilities, from 0 to 1"
        raise server._refuse(f"{len(wrong)} of {len(numbers)} answers are no {what}", repr(answers[wrong[0]])[:80])
    return numbers


def _write_rows(rows: pd.DataFrame) -> list[str]:
    """Write each row as a JSON list: numbers with all digits, missing values as null, dates as ISO 8601."""
    table = rows.astype(object).where(rows.notna(), None)
    return [json.dumps(one, default=_write_value) for one in table.to_numpy().tolist()]


def _write_value(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value.isoformat() if hasattr(value, "isoformat") else str(value)


def _cut(rows: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for first in range(0, len(rows), size):
        yield rows[first : first + size]


def _digest(answers: Sequence[Any]) -> str:
    """Return the SHA-256 of answers, numbers to nine digits: another machine may round the last ones otherwise."""
    rounded = [f"{one:.{_DIGITS}g}" if isinstance(one, int | float) else str(one) for one in answers]
    return hashlib.sha256(json.dumps(rounded).encode()).hexdigest()
