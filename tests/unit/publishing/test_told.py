import datetime as dt

import pytest
from fakes import COMMIT, a_report, a_row
from msgspec.structs import replace
from shown_markdown import published

from energygate.model import Head
from energygate.publishing.told import Told


@pytest.mark.parametrize(
    ("run_id", "started_at"),
    [
        ("20261122T031500Z-1a2b3c4d5e", dt.datetime(2026, 11, 22, 3, 15, tzinfo=dt.UTC)),
        ("20261322T031500Z-1a2b3c4d5e", None),
        ("mine", None),
    ],
)
def test_a_run_began_when_its_id_says_if_it_says_so(run_id, started_at):
    report = replace(a_report(a_row()), head=Head(run_id=run_id, commit=COMMIT))
    assert Told.of(report, exit_code=0, never_fail=False).started_at == started_at


def test_a_pass_is_no_news_and_a_job_that_fails_all_the_same_is():
    assert Told.of(a_report(a_row()), exit_code=0, never_fail=False).news is False
    assert Told.of(a_report(a_row()), exit_code=2, never_fail=False).news is True
    assert Told.of_nothing(exit_code=5, never_fail=True).news is True


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("The command left with 3 although no benchmark regressed.", ". The command left with 3 although no "),
        ("", ": its log says which"),
    ],
)
def test_a_job_that_fails_for_another_reason_says_which_if_that_is_known(why, said):
    told = Told.of(a_report(a_row()), exit_code=2, never_fail=False, why=why)
    assert f"the job leaves with 2, for another reason than these figures{said}" in told.comment(published())
