"""What could not be published, for the summary, which is written first and needs nothing."""

from collections.abc import Sequence

from energygate.report.markdown.opening import alert


def render_remarks(remarks: Sequence[str]) -> str:
    """Render one alert for all of them; empty where there is none."""
    return "".join(f"\n{text}\n" for text in alert("WARNING", remarks))
