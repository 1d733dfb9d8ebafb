"""The block `confirm:`, its options, and what a process that measures one side makes of both."""

import pytest

from energygate.config import load_settings
from energygate.errors import ConfigError
from energygate.measure.assignment import VARIABLE, Assignment
from energygate.policy import Confirm
from energygate.settings import Mode, SideSettings


@pytest.fixture
def load(tmp_path):
    def load(text="version: 1\n", environ=None, **options):
        (tmp_path / "energygate.yml").write_text(text)
        return load_settings(options, prefix="--", environ=environ or {}, folder=tmp_path, here=tmp_path)

    return load


def test_by_default_a_base_is_found_by_itself_and_nothing_is_set_up(load):
    settings = load()
    assert settings.policy.confirm == Confirm(which="suspects", min_blocks=10, max_blocks=30, max_minutes=None)
    assert settings.sides == SideSettings(against="auto", setup=(), venv=False, seed=None)
    assert settings.sides.preparation == ()


def test_a_file_says_what_is_measured_again_and_how_sides_are_made_ready(load):
    text = (
        "version: 1\nconfirm: {against: main, which: unresolved, min_blocks: 6, max_blocks: 12, max_minutes: 5, "
        "setup: 'make -C \"a b\"', venv: true}\n"
    )
    settings = load(text)
    assert settings.policy.confirm == Confirm(which="unresolved", min_blocks=6, max_blocks=12, max_minutes=5.0)
    assert settings.sides == SideSettings(against="main", setup=("make", "-C", "a b"), venv=True)


def test_options_win_over_the_environment_and_that_over_the_file(load):
    text = "version: 1\nconfirm: {min_blocks: 8, max_blocks: 20}\n"
    environ = {"ENERGYGATE_MIN_BLOCKS": "10", "ENERGYGATE_MAX_MINUTES": "2.5", "ENERGYGATE_SEED": "3"}
    settings = load(text, environ, **{"min-blocks": "12", "against": "HEAD~1"})
    assert settings.policy.confirm == Confirm(min_blocks=12, max_blocks=20, max_minutes=2.5)
    assert (settings.sides.seed, settings.sides.against) == (3, "HEAD~1")


def test_in_an_environment_of_its_own_a_side_is_installed_unless_something_else_is_said(load):
    assert load(venv=True).sides.preparation == ("pip", "install", "-e", ".")
    assert load(venv=True, setup="make").sides.preparation == ("make",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{min_blocks: 7}", "min_blocks and max_blocks must be even"),
        ("{min_blocks: 12, max_blocks: 10}", "min_blocks and max_blocks must be even"),
        ("{which: some}", "confirm.which"),
        ("{max_minutes: 0}", "confirm.max_minutes"),
        ('{setup: "\'"}', 'confirm.setup: "\'": No closing quotation'),
        ("{setup: python -m pip install .}", "would install into the environment that you work in"),
        ("{agianst: main}", "agianst"),
    ],
)
def test_what_cannot_be_is_refused_with_the_file(load, text, message):
    with pytest.raises(ConfigError) as refused:
        load(f"version: 1\nconfirm: {text}\n")
    assert "energygate.yml" in str(refused.value)
    assert message in str(refused.value)


WRAP = "Write bash -euo pipefail -c '…' around it, or call a script."


@pytest.mark.parametrize("text", ["echo one\necho two", "pip install -r r.txt \\\n  -e .", "bash -c 'a\nb'\nmake"])
def test_a_setup_of_several_lines_is_refused_since_no_shell_would_part_them(load, text):
    with pytest.raises(ConfigError) as refused:
        load(setup=text, venv=True)
    assert str(refused.value) == (
        f"--setup: {text!r}: several lines, and no shell reads them: all would be one command. {WRAP}"
    )


@pytest.mark.parametrize("word", ["&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1", "&>", "a;"])
def test_a_setup_that_only_a_shell_understands_is_refused(load, word):
    with pytest.raises(ConfigError) as refused:
        load(f"version: 1\nconfirm: {{setup: 'make a {word} make b', venv: true}}\n")
    assert str(refused.value).endswith(
        f"confirm.setup: 'make a {word} make b': {word} is for a shell, and none reads this: all would be one command. "
        f"{WRAP}"
    )


def test_a_setup_may_hand_lines_to_a_shell_and_name_a_version_or_a_marker(load):
    assert load(setup="bash -euc 'make a &&\nmake b; make c'\n").sides.setup[2] == "make a &&\nmake b; make c"
    wanted = ("pip", "install", "x>=2", 'y; python_version < "3.12"')
    assert load(setup="pip install x>=2 'y; python_version < \"3.12\"'", venv=True).sides.setup == wanted


def test_one_side_measures_one_trial_as_the_driver_says_and_judges_nothing(load, tmp_path):
    (tmp_path / "driver.yml").write_text("version: 1\nmeters: [estimate]\ntrials: {count: 30, cooldown: 2, idle: 10}\n")
    assignment = Assignment(save="/s/run.json", tree="/t", config=str(tmp_path / "driver.yml"), iterations={"a": 4})
    environ = {VARIABLE: assignment.encoded(), "ENERGYGATE_REPORT": "json:r.json"}
    settings = load("version: 1\nmeters: [nvml]\n", environ, mode="record", save="x.json", against="HEAD")
    assert (settings.mode, str(settings.save), settings.reports) == (Mode.MEASURE, "/s/run.json", ())
    assert (settings.meters, settings.idle_s, settings.sides.against) == (("estimate",), 0.0, "none")
    trials = settings.trials_for("a", settings.forced)
    assert (trials.count, trials.warmup, trials.max_invalid, trials.cooldown_s) == (1, 0, 0.0, 2.0)


def test_what_finds_out_how_often_to_repeat_the_work_may_try_again(load):
    environ = {VARIABLE: Assignment(save="/s/run.json", tree="/t").encoded()}
    settings = load(environ=environ)
    assert settings.trials_for("a", settings.forced).max_invalid == 1.0
