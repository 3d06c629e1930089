"""What a use case asks of a version before anyone may approve it, and whether that is less by now.

A :class:`Policy` says which gates a version must pass, what evidence that cannot decide means for each, who approves,
and how long an approval and a justification last. Floors that nobody can go under are part of its type. With the
limits of fairness and monitoring and the columns' flags and uses it is what a version was judged by
(:func:`state_policy`); :func:`find_loosened` holds that against today:

>>> from rai_kedro.policy import Policy, find_loosened
>>> then, now = Policy(), Policy(approval={"lasts_days": 700})
>>> find_loosened({"policy": then.to_dict()}, {"policy": now.to_dict()})
('policy.approval.lasts_days: 365 when the version was approved, 700 now',)
>>> find_loosened({"policy": now.to_dict()}, {"policy": then.to_dict()})
()
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
