"""Which fairness metric? A few questions lead there, and say why; and what mitigates it, for the model at hand.

Questions and methods are data (``questionnaire.yml``, ``mapping.yml``), checked before they are used:

    >>> from rai_kedro.questionnaire import ModelAtHand, follow, load_tree, recommend
    >>> answers = {"individual_or_group": "no", "task": "two_outcomes", "standard": "yes"}
    >>> outcome = follow(load_tree(), answers)
    >>> outcome.metrics
    ('statistical_parity',)
    >>> methods = recommend(outcome.metrics, ModelAtHand(task="classification", takes_sample_weight=False))
    >>> [method.method for method in methods if method.applies and method.effect == "direct"][:1]
    ['uniform_resampling']

:func:`interview` asks the same questions one at a time; :func:`check_consistency` says where metrics that are
configured by hand disagree with the answers on record.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
