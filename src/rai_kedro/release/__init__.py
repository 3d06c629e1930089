"""Releasing a model: registered as a candidate, signed by people, served only as approved, checked by anyone.

Training registers a *candidate* and ends with its manifest (:class:`Manifest`): the digest of every file of model,
reference data, contract, assessment and card, which is the one thing that everything else holds on to. A person
approves or rejects it (:func:`approve`, :func:`reject`) by signing that digest; the decision goes into an append-only
evidence record before anything else, and from there into tags, card and the alias ``production``. A rejection outranks
every approval. :func:`load_production` hands out a model only where record, signature, alias, tags and files agree.
:func:`verify` checks all of that afterwards, from both sides; a copy of the record is enough to check its own chain,
without any server, and with the reviewers' public keys its signatures:

>>> import tempfile
>>> from pathlib import Path
>>> from rai_kedro.release import Reviewers, Trust, append_evidence, verify
>>> folder = tempfile.TemporaryDirectory()
>>> record = Path(folder.name, "loans.jsonl")
>>> entry = append_evidence(record, "trained", {"version": "3", "manifest": "5e88…"}, "2024-05-01T12:00:00+00:00")
>>> verify(record, trust=Trust(Reviewers())).findings
()
>>> _ = record.write_text(record.read_text().replace("5e88", "a1b2"))
>>> [finding.what for finding in verify(record).findings]
['line 1 does not hold: its content does not match its hash']
>>> folder.cleanup()

With ``client=MlflowClient()``, :func:`verify` also compares the record with what MLflow says of every version.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
