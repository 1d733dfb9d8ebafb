import pytest

from energygate.measure.frequency import frequency_note, frequency_words


@pytest.fixture
def sysfs(tmp_path):
    """Write what the kernel says of the clock: `sysfs(governor="powersave", no_turbo=0)`."""

    def write(*, governor=None, no_turbo=None, boost=None):
        folder = tmp_path / "devices/system/cpu"
        files = {
            "cpufreq/policy0/scaling_governor": governor,
            "intel_pstate/no_turbo": no_turbo,
            "cpufreq/boost": boost,
        }
        for name, value in files.items():
            if value is not None:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(f"{value}\n")
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("said", "words", "note"),
    [
        ({}, "governor unknown, turbo unknown", None),
        ({"governor": "performance", "no_turbo": 1}, "governor performance, turbo off", None),
        ({"governor": "schedutil"}, "governor schedutil, turbo unknown", "governor schedutil"),
        ({"governor": "performance", "no_turbo": 0}, "governor performance, turbo on", "turbo on"),
        ({"governor": "powersave", "boost": 1}, "governor powersave, turbo on", "governor powersave, turbo on"),
        ({"governor": "performance", "no_turbo": 1, "boost": 1}, "governor performance, turbo off", None),
    ],
)
def test_the_clock_is_told_in_words_and_a_run_is_told_only_of_one_that_is_not_steady(sysfs, said, words, note):
    tree = sysfs(**said)
    assert frequency_words(tree) == words
    assert frequency_note(tree) == (
        ()
        if note is None
        else (f"clock: not steady ({note}), which adds noise. `energygate doctor` has the commands.",)
    )
