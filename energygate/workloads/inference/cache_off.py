"""The check of a prefix cache that is to be off."""

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.model import Work


def require_cache_off(work: Work) -> None:
    """Refuse tokens that came from the prefix cache. Raises MeasurementInvalid."""
    if work.cached_input_tokens:
        raise MeasurementInvalid(
            InvalidCode.WORK_DIFFERS,
            f"{work.cached_input_tokens} of {work.input_tokens} input tokens came from the prefix cache, and "
            "requests.prefix_cache is disabled. Start the server without it, or set warm.",
        )
