"""The four stages. Each is thin: wiring in ``pipeline.py``, adapters between catalogue and rooms in ``nodes.py``."""
