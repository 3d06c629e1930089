"""What people read before they approve a model: the model card, the governance page and their figures.

Everything here is plain Python: it takes numbers and texts that were measured elsewhere and renders them. A
page is always one self-contained file that may fetch nothing from anywhere, and no page states a verdict that
its numbers do not give: it says what was measured, how, how certain it is, and what is worth a second look.
"""
