"""What people read before they approve a model: the model card, the governance page, pages and figures.

Everything here is plain Python: it takes numbers and texts that were measured elsewhere and renders them. A page is
always one self-contained file that may fetch nothing from anywhere, and no page states a verdict that its numbers do
not give: it says what was measured, how, how certain it is, and what is worth a second look.

A section of the card is one line in ``model_card.SECTIONS`` and one template in ``templates/sections``, written once
for HTML and Markdown with the macros of ``html_parts.j2`` and ``markdown_parts.j2``. A figure says itself where it
stands (``figures.place``). What is worth a second look is one function in ``attention``.

Examples:
    >>> from rai_kedro.report import draw_residuals
    >>> figure = draw_residuals([20.0, 30.0, 25.0], [21.0, 28.0, 25.0], ["train", "train", "test"], unit="USD")
    >>> figure.layout.meta["section"], figure.layout.xaxis.title.text
    ('performance', 'label minus prediction (USD)')
    >>> [trace.name for trace in figure.data]
    ['train (2 rows)', 'test (1 rows)']
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
