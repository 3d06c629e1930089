"""Independent random streams, each found by its name, so that no draw depends on the order of other draws."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def derive_generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return the random stream that belongs to a seed and a name.

    Two calls with the same arguments return streams with the same numbers; any difference in the name gives
    a stream that is statistically independent. So month 7 is the same whether 8 or 80 months are made, and
    leaving out one column changes nothing in the others.

    Args:
        seed: The seed from the parameters, 0 or more.
        *names: The parts of the stream's name, e.g. ``"rows", 4``.

    Returns:
        A NumPy generator (PCG64), seeded by the seed and the SHA-256 of the name.
    """
    digest = hashlib.sha256(json.dumps(names).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "big")])
