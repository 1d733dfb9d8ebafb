import itertools

import pytest

from energygate.errors import MeasurementInvalid
from energygate.meters.counters import CounterSpec
from energygate.meters.scraped.scrapes import Rhythm, Samples, Span, Unscrapable, mirror, rhythm_of, samples_of, used_j

RHYTHM = Rhythm(scrape_s=1.0, refresh_s=1.0, resolution_j=1e-6)
SPEC = CounterSpec(domain="package-0", source="joules{}", bound_w=1000.0, update_interval_s=1.0)
WRAPPING = CounterSpec(
    domain="package-0", source="joules{}", bound_w=1000.0, update_interval_s=1.0, range_uj=262_143_328_850
)


def samples(*values_j, first_s=0.0, every_s=1.0):
    return Samples(
        tuple(first_s + i * every_s for i in range(len(values_j))), tuple(round(value * 1e6) for value in values_j)
    )


def span(start_s, end_s, *, quiet_s=0.5):
    return Span(quiet_s=quiet_s, start_s=start_s, end_s=end_s, now_s=end_s, duration_s=end_s - start_s)


def idle_then(power_w, start_s, end_s, *, idle_w=50.0, offset_j=1000.0):
    """What a counter shows at second 0, 1, … 12, of a machine that works between start and end."""
    return [offset_j + idle_w * t + (power_w - idle_w) * (min(max(t, start_s), end_s) - start_s) for t in range(13)]


@pytest.mark.parametrize(
    ("unit", "text", "raw_uj"), [("J", "1234.567891", 1_234_567_891), ("mJ", "5", 5000), ("uJ", "1.5e+06", 1_500_000)]
)
def test_samples_are_microjoules_whatever_the_unit(unit, text, raw_uj):
    assert samples_of([(7.25, text)], unit) == Samples((7.25,), (raw_uj,))


@pytest.mark.parametrize(
    "text", ["NaN", "+Inf", "-Inf", "-1", "", "many", "1_0", "\u0661", " 1", "1e13", "1e999", "1e308"]
)
def test_a_sample_that_is_no_possible_number_of_joules_is_refused(text):
    with pytest.raises(Unscrapable, match=r"^One of its samples is no number from 0 to 1e\+12 J\. Mend the exporter"):
        samples_of([(1.0, "1"), (2.0, text)], "J")


def test_samples_without_order_or_without_number_are_refused():
    with pytest.raises(Unscrapable, match="not in the order of time"):
        samples_of([(2.0, "1"), (1.0, "2")], "J")
    with pytest.raises(Unscrapable, match="without samples"):
        samples_of([], "J")


def test_the_rhythm_is_told_by_changes_because_an_exporter_may_be_slower_than_its_scrapes():
    seen = samples(0, 0, 3.5, 3.5, 3.5, 7, 7, 7, 14, 14, 14, 21, 21)
    assert rhythm_of(seen) == Rhythm(scrape_s=1.0, refresh_s=3.0, resolution_j=3.5)


def test_a_counter_that_stands_still_is_refused():
    with pytest.raises(Unscrapable) as refused:
        rhythm_of(samples(5, 5, 6, 6, 6, 7, 7))
    assert str(refused.value) == (
        "It changed 2 times in 7 samples of the last 10 min, fewer than 4: it stands still, or it is refreshed too "
        "seldom. Look at it in the exporter's own /metrics."
    )


def test_a_counter_that_was_just_found_is_refused_until_it_has_been_scraped_more_often():
    with pytest.raises(Unscrapable, match=r"^It has 3 samples in the last 10 min"):
        rhythm_of(samples(1, 2, 3))


@pytest.mark.parametrize(
    ("start_s", "end_s", "power_w"),
    [(4.0, 9.0, 50), (4.3, 9.1, 250), (3.01, 9.99, 250), (4.9, 5.1, 400)],
    ids=["idle", "phases", "wide", "between two scrapes"],
)
def test_a_window_between_scrapes_has_its_own_energy(start_s, end_s, power_w):
    seen = samples(*idle_then(power_w, start_s, end_s))
    assert used_j(seen, SPEC, span(start_s, end_s), RHYTHM, prompt=True) == pytest.approx(power_w * (end_s - start_s))


def test_a_counter_that_wraps_where_its_range_says_is_unwrapped_and_one_that_falls_without_range_is_not():
    rising = idle_then(250, 4.3, 9.1, offset_j=262_143.328911 - 1000)
    seen = samples(*[value % 262_143.328911 for value in rising])
    assert used_j(seen, WRAPPING, span(4.3, 9.1), RHYTHM, prompt=True) == pytest.approx(250 * 4.8)
    with pytest.raises(MeasurementInvalid, match=r"^counter_reset: joules\{\} fell by 262000 J"):
        used_j(seen, SPEC, span(4.3, 9.1), RHYTHM, prompt=True)


def test_a_counter_that_began_again_is_no_wrap():
    seen = samples(*[value if i < 7 else value - 1200 for i, value in enumerate(idle_then(250, 4.3, 9.1))])
    with pytest.raises(MeasurementInvalid, match=r"^implausible: joules\{\} rose by 261"):
        used_j(seen, WRAPPING, span(4.3, 9.1), RHYTHM, prompt=True)


def test_what_happened_to_a_counter_outside_of_the_window_does_not_matter():
    values = idle_then(250, 4.3, 9.1)
    seen = samples(*[90_000.0, *values[1:11], 3.0, 53.0])
    assert used_j(seen, SPEC, span(4.3, 9.1, quiet_s=1.5), RHYTHM, prompt=True) == pytest.approx(250 * 4.8)


def test_an_exporter_that_reads_on_its_own_counts_the_end_of_the_window_only_in_its_second_new_value():
    # Refreshed at 0.7, 1.7, …: the sample at second 10 shows what was used until 9.7, and the window ends at 9.8.
    true = idle_then(250, 4.3, 9.8)
    stale = [true[0] - 15] + [now - (now - before) * 0.3 for before, now in itertools.pairwise(true)]
    stale[10] = true[9] + 250 * 0.7
    seen = samples(*stale)
    assert used_j(seen, SPEC, span(4.3, 9.8, quiet_s=0.1), RHYTHM, prompt=False) == pytest.approx(250 * 5.5)
    assert used_j(seen, SPEC, span(4.3, 9.8, quiet_s=0.1), RHYTHM, prompt=True) == pytest.approx(250 * 5.5 - 20)


def test_one_missed_scrape_is_no_gap_and_two_are():
    full = samples(*idle_then(250, 4.3, 9.1))

    def without(*missed):
        kept = [i for i in range(13) if i not in missed]
        return Samples(tuple(full.at_s[i] for i in kept), tuple(full.raw_uj[i] for i in kept))

    assert used_j(without(7), SPEC, span(4.3, 9.1), RHYTHM, prompt=True) == pytest.approx(250 * 4.8)
    with pytest.raises(Unscrapable) as refused:
        used_j(without(6, 7), SPEC, span(4.3, 9.1), RHYTHM, prompt=True)
    assert str(refused.value) == (
        "It has no new sample for 3.00 s inside the window, though it is refreshed every 1.00 s. Look at `up` and "
        "`scrape_duration_seconds` of its target."
    )


def test_a_window_without_three_quiet_samples_before_it_is_refused():
    seen = samples(*idle_then(250, 4.3, 9.1))
    assert used_j(seen, SPEC, span(4.3, 9.1, quiet_s=2.0), RHYTHM, prompt=True) == pytest.approx(250 * 4.8)
    for quiet_s in (2.1, 5.0, 99.0):
        with pytest.raises(Unscrapable, match=r"^It has fewer than 3 new samples between the end of other work"):
            used_j(seen, SPEC, span(4.3, 9.1, quiet_s=quiet_s), RHYTHM, prompt=True)


def test_a_window_without_a_sample_after_it_is_refused():
    with pytest.raises(Unscrapable, match=r"^It has no new sample after the end of the window"):
        used_j(samples(*idle_then(250, 4.3, 12.5)), SPEC, span(4.3, 12.5), RHYTHM, prompt=True)


def test_counters_that_show_one_another_are_mirrors_and_others_are_not():
    die = samples(*[1000 + 68 * t for t in range(20)])
    read_later = samples(*[1000 + 68 * t + 0.07 for t in range(20)])
    own = samples(*[1030 + 68 * t for t in range(20)])
    held_up_once = samples(*[1000 + 68 * t + (30 if t == 7 else 0) for t in range(20)])
    assert [mirror(die, other) for other in (die, read_later, held_up_once, own)] == [True, True, True, False]
    assert not mirror(die, samples(*[1000 + 68 * t for t in range(20)], first_s=0.5))
