import pytest
from fakes_workshop import Workshop

from energygate.measure.checkup import accuracy, check_up, with_agreement
from energygate.measure.lock import machine_lock
from energygate.measure.machine import Roots, describe_hardware
from energygate.measure.requirement import TrialSettings
from energygate.meters.base import Domain
from energygate.meters.diagnosis import Accuracy, Probe
from energygate.meters.options import Calibration, EstimateOptions
from energygate.meters.rapl.cross_check import Agreement
from energygate.meters.select import MeterOptions


@pytest.fixture
def workshop(tmp_path, host):
    made = Workshop(tmp_path, host)
    with made.tree:
        yield made


@pytest.fixture
def checked(workshop, host):
    """The diagnosis of a machine with a counter; whatever GPUs the machine that runs the tests has are left aside."""

    def look(*, trials=None, estimate=None, wanted=("auto",), sysfs=workshop.tree.root):
        options = MeterOptions(
            sysfs=sysfs,
            host=host,
            clock=workshop.now_s,
            sleep=workshop.sleep,
            environ={},
            estimate=estimate or EstimateOptions(),
        )
        roots = Roots(sysfs=sysfs, proc=workshop.proc)
        return check_up(options, wanted=wanted, trials=trials or TrialSettings(), roots=roots, clock=workshop)

    return look


def test_a_counter_is_shown_with_its_watts_and_what_to_expect_of_a_trial(checked):
    [rapl, accuracy] = next(pair for pair in checked().meters if pair[0].name == "rapl")
    assert rapl.power_w == pytest.approx({"package-0": 20.0, "dram-0": 6.0}, rel=1e-3)
    assert accuracy == Accuracy(trial_s=1.0, edge_error=pytest.approx(0.001 / 6**0.5), at_most=False)
    assert checked().decides[0] == "rapl"


def test_a_longer_trial_has_a_smaller_edge_error(checked):
    diagnosis = checked(trials=TrialSettings(min_time_s=10.0))
    assert diagnosis.meters[0][1] == Accuracy(trial_s=10.0, edge_error=pytest.approx(0.0001 / 6**0.5), at_most=False)


def test_a_reading_that_cannot_be_is_a_finding(checked, workshop):
    workshop.tree.machine.obey("power intel-rapl:0 0.5")
    assert [finding.what for finding in checked().findings][:1] == [
        "package-0 shows 0.5 W, which is not between 1 and 1000 W."
    ]


def test_what_others_do_now_is_a_finding(checked, workshop):
    workshop.foreign = 0.9
    assert any(finding.what.startswith("Other processes use 4") for finding in checked().findings)  # 45 %, less ours


def test_load_is_no_finding_where_no_counter_holds_it(checked, workshop, tmp_path):
    workshop.foreign = 0.9
    (tmp_path / "empty").mkdir()
    for diagnosis in (checked(sysfs=tmp_path / "empty"), checked(wanted=("estimate",))):
        assert not any("whole machine" in finding.why for finding in diagnosis.findings)
        assert diagnosis.load["foreign"] == pytest.approx(0.45, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "domains", "expected"),
    [
        ("counter", [("cpu", 0.001)], Accuracy(trial_s=1.0, edge_error=0.001 / 6**0.5, at_most=False)),
        ("counter", [("gpu", 0.1)], Accuracy(trial_s=10.0, edge_error=0.01, at_most=True)),
        ("counter", [("gpu", 0.1)] * 8, Accuracy(trial_s=10.0, edge_error=0.02, at_most=True)),
        ("scraped", [("cpu", 15.0)], Accuracy(trial_s=300.0, edge_error=0.004, at_most=True)),
        ("integrated", [("gpu", 0.05)], Accuracy(trial_s=30.0, edge_error=0.5 / 30, at_most=True)),
    ],
)
def test_the_ends_of_a_trial_cost_what_the_documentation_says(kind, domains, expected):
    shortest_s = {"scraped": 300.0, "integrated": 30.0}.get(kind)
    made = tuple(
        Domain(name=f"{part}-{i}", part=part, update_interval_s=interval_s, shortest_window_s=shortest_s)
        for i, (part, interval_s) in enumerate(domains)
    )
    assert accuracy(Probe(name="meter", kind=kind, domains=made), TrialSettings()) == Accuracy(
        trial_s=expected.trial_s, edge_error=pytest.approx(expected.edge_error), at_most=expected.at_most
    )


def test_a_job_that_measures_here_now_is_the_first_finding(checked, workshop):
    with machine_lock(workshop.tree.root):
        first = checked().findings[0]
    assert first.what.startswith("Another energygate job is measuring on this machine")
    assert first.fix.startswith("Wait until it has ended")
    assert first.blocks


def test_a_calibration_of_another_machine_is_told_and_one_of_this_machine_gives_its_error(checked, workshop):
    def estimate(fingerprint):
        known = Calibration(fingerprint=fingerprint, r2=0.99, error=0.02, date="2026-11-25")
        return EstimateOptions(watts_per_core=9.0, base_w=20.0, calibrated=known)

    here = describe_hardware(Roots(sysfs=workshop.tree.root, proc=workshop.proc)).fingerprint
    assert "error 2 %" in checked(estimate=estimate(here)).estimate
    assert "another machine" in checked(estimate=estimate("0123456789ab")).estimate


BOTH = (Probe(name="rapl", kind="counter"), Probe(name="pyrapl", kind="counter"), Probe(name="nvml", kind="counter"))


def test_two_readers_of_one_counter_that_agree_are_said_to():
    agreement = Agreement(first="rapl", second="pyrapl", ratios={"package-0": 1.001})
    rapl, pyrapl, _ = with_agreement(BOTH, agreement)
    assert (rapl.notes, pyrapl.notes) == ((), (agreement.sentence,))
    assert pyrapl.decides


def test_two_readers_of_one_counter_that_differ_are_both_not_usable():
    agreement = Agreement(first="rapl", second="pyrapl", ratios={"package-0": 1.02})
    rapl, pyrapl, nvml = with_agreement(BOTH, agreement)
    assert [each.decides for each in (rapl, pyrapl, nvml)] == [False, False, True]
    assert rapl.refusal.what == agreement.sentence
