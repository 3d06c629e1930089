"""What happens around a run: carbon, tags, a check of the environment, progress.

Nothing here protects anything: a runner may skip hooks. Lanes, contract and approval are enforced by nodes and
datasets.
"""
