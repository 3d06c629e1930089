"""Releasing a model: registered as a candidate, reviewed by a person, served only as approved, checked by anyone.

Training registers a *candidate*: model, reference data, contract, model card and fairness gate travel together, each
with its SHA-256 (:func:`register_candidate`, :func:`attach_card`). A person approves or rejects it (:func:`approve`,
:func:`reject`); the decision goes into an append-only evidence record before anything else, and from there into tags,
card and the alias ``production``. A rejection outranks every approval. :func:`load_production` hands out a model only
where alias, tags, record and files agree. :func:`verify` checks all of that afterwards, from both sides; a copy of the
record is enough to check its own chain, without any server:

>>> import tempfile
>>> from pathlib import Path
>>> from rai_kedro.release import Review, append_evidence, verify
>>> folder = tempfile.TemporaryDirectory()
>>> record = Path(folder.name, "loans.jsonl")
>>> review = Review(use_case="loans", version="3", run_id="8d1f", decision="approved", reviewer="Ada Reviewer",
...                 statement="figures and card read", reviewed_at="2024-05-01T12:00:00+00:00", model_digest="5e88…",
...                 companion_digest="a1b2…", fairness_gate="pass")
>>> entry = append_evidence(record, "approve", review.to_dict(), review.reviewed_at)
>>> found = verify(record)
>>> found.findings
()
>>> found.to_frame()[["version", "decision", "reviewer"]].to_dict("records")
[{'version': '3', 'decision': 'approved', 'reviewer': 'Ada Reviewer'}]
>>> _ = record.write_text(record.read_text().replace("Ada", "Eve"))
>>> verify(record).findings
('line 1 does not hold: its content does not match its hash',)
>>> folder.cleanup()

With ``client=MlflowClient()``, :func:`verify` also compares the record with what MLflow says of every version.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
