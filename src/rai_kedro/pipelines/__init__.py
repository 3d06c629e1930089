"""The stages. Each is thin: adapters between catalogue and rooms, and the wiring of them."""

STAGES = ("simulation", "ingestion", "governance", "training", "monitoring")
