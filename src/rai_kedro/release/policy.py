"""The policy as a release knows it; the room `rai_kedro.policy` defines it, since card and configuration share it."""

from rai_kedro.policy import ApprovalRules, Policy, digest_of, find_loosened, state_policy

__all__ = ["ApprovalRules", "Policy", "digest_of", "find_loosened", "state_policy"]
