"""Intervals of figures of groups, of their largest difference and smallest ratio; nothing but counts is needed.

All work on arrays of group figures, so that the cost does not depend on the number of rows. An end that the data cannot
bound is None, with a note; a number that is not finite is never returned. Functions over pairs take ``reference``: the
position of a group that all others are compared with, None for every pair.

    >>> from rai_kedro.intervals import largest_difference_of_proportions
    >>> found = largest_difference_of_proportions([30, 45, 41], [100, 120, 110], 0.95)
    >>> round(found.lower, 3), round(found.upper, 3)
    (0.0, 0.198)

Every figure of this project is an :class:`Estimate`: value, lower, upper, level, n, how, note.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
