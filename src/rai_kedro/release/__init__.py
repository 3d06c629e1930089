"""Candidate, review, approval and production, on MLflow's registered models, aliases and tags."""
