"""The policy as a comparison takes it."""

from energygate.compare import CompareRules
from energygate.policy import Policy
from energygate.stats.stored import Prior


def compare_rules(policy: Policy) -> CompareRules:
    """Give what the policy says of which sessions count, and of what they are worth."""
    return CompareRules(
        sessions=policy.window,
        max_invalid=policy.max_invalid,
        prior=Prior(sd=policy.session_sd, weight=policy.session_sd_weight),
        min_effect=policy.min_effect,
        anchors={anchor.name: anchor.commit for anchor in policy.anchors},
        canary=policy.canary,
    )
