import pytest

from energygate.github.conclusion import Conclusion, conclude
from energygate.github.event import Activity

HINT = (
    "It must measure with `pytest --energy` or `energygate run`, and name neither mode nor report itself: the action's "
    "own would not be written."
)


@pytest.mark.parametrize(
    ("status", "verdict", "code", "why"),
    [
        (0, 0, 0, ""),
        (1, 1, 1, ""),
        (0, 1, 1, ""),  # `pytest … || true`
        (3, 3, 3, ""),
        (4, 4, 4, ""),
        (1, 5, 5, ""),
        (1, 0, 2, "The command left with 1 although no benchmark regressed."),
        (5, 0, 2, "The command left with 5 although no benchmark regressed."),
        (-9, 0, 2, "The command was killed by signal 9 although no benchmark regressed."),
        (1, None, 2, "The command left with 1 and wrote no report. Its reasons stand above."),
        (127, None, 2, "The command left with 127 and wrote no report. Its reasons stand above."),
        (-11, None, 2, "The command was killed by signal 11 and wrote no report. Its reasons stand above."),
        (5, None, 5, "The command left with 5: nothing valid was measured."),
        (0, None, 5, f"The command left with 0 and wrote no report. {HINT}"),
        (0, 256, 2, "The report's exit code is 256, which is none of energygate's."),
        (0, -1, 2, "The report's exit code is -1, which is none of energygate's."),
    ],
)
def test_the_job_leaves_with_the_reports_code_and_with_1_for_nothing_else(status, verdict, code, why):
    found = conclude(Activity.GATE, status, verdict=verdict, is_saved=True)
    assert found == Conclusion(exit_code=code, why=why)


@pytest.mark.parametrize(
    ("status", "is_saved", "code", "why"),
    [
        (0, True, 0, ""),
        (0, False, 5, f"The command left with 0 and wrote no run. {HINT}"),
        (1, True, 2, "The command left with 1. Its reasons stand above."),
        (5, True, 5, "The command left with 5: nothing valid was measured."),
    ],
)
def test_recording_needs_a_run_and_no_report(status, is_saved, code, why):
    found = conclude(Activity.RECORD, status, verdict=None, is_saved=is_saved)
    assert found == Conclusion(exit_code=code, why=why)
