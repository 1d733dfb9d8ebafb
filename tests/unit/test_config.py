from pathlib import Path

import pytest

from energygate.config import (
    find_home,
    load_settings,
    marker_keys,
    read_config,
    read_config_suites,
    read_suites,
)
from energygate.config_keys import MarkerKeys
from energygate.errors import ConfigError
from energygate.measure.requirement import TrialSettings
from energygate.meters.options import EstimateOptions
from energygate.model import Location, Metric, Outcome
from energygate.policy import Policy, Rules
from energygate.report.formats import named_formats
from energygate.settings import Mode, ReportTarget
from energygate.workloads.suites import TrialOverrides

COMMAND = "{name: one, kind: command, command: [./bench]}"
TOP = (
    "version, meters, sysfs, rapl, nvml, prometheus, estimate, noise, lock_timeout, allow_estimates, baselines, "
    "trials, gate, confirm, limits, overrides, anchors, canary, terms, suites"
)
GATE = (
    "budget, min_effect, false_alarms, adjust, fail_on, confidence, power, session_sd, session_sd_weight, window, "
    "min_sessions, work_tolerance, screen"
)
LIMITS = "energy_j, j_per_output_token, j_per_request, j_per_total_token"
FAIL_ON = "incomparable, inconclusive, invalid, missing, no_baseline, over_limit, regressed, suspect"
CHOOSE = (
    "an increase must be able to pass before it can fail. Choose 0 % < min_effect \N{LESS-THAN OR EQUAL TO} budget "
    "\N{LESS-THAN OR EQUAL TO} 100 %."
)


@pytest.fixture
def load(tmp_path):
    """Load settings from a file's text, options and an environment: `load("trials: {count: 3}", trials="5")`."""

    def load(text=None, *, environ=None, here=tmp_path, prefix="--", **options):
        if text is not None:
            (tmp_path / "energygate.yml").write_text(f"version: 1\n{text}")
        spelt = {name.replace("_", "-"): value for name, value in options.items()}
        return load_settings(spelt, prefix=prefix, environ=environ or {}, folder=tmp_path, here=here)

    return load


def test_without_a_file_every_setting_has_its_documented_default(load, tmp_path):
    settings = load()
    assert settings.folder == tmp_path
    assert (settings.mode, settings.meters, settings.sysfs) == (Mode.GATE, ("auto",), Path("/sys"))
    assert settings.estimate == EstimateOptions(watts_per_core=5.0, base_w=0.0)
    assert (settings.allow_estimates, settings.baselines) == (False, str(tmp_path / "baselines"))
    assert settings.trials == TrialSettings(
        count=10, warmup=1, min_time_s=1.0, min_time_gpu_s=10.0, cooldown_s=0.0, max_invalid=0.2
    )
    assert settings.policy == Policy(budget=0.05, min_effect=0.02, false_alarms=0.05, adjust="bh")
    assert settings.policy.fail_on == (Outcome.REGRESSED, Outcome.OVER_LIMIT, Outcome.INVALID)
    assert (settings.limits, settings.overrides, settings.suites) == ({}, {}, ())
    assert (settings.save, settings.reports) == (None, ())


def test_every_key_of_the_file_is_read(load, tmp_path):
    settings = load(
        """
meters: [rapl, nvml]
sysfs: /host/sys
estimate: {watts_per_core: 8, base_w: 20}
allow_estimates: true
baselines: kept/here
trials: {count: 20, warmup: 2, min_time: 3, min_time_gpu: 12, cooldown: 1.5, max_invalid: 0.1}
gate:
  budget: 4%
  min_effect: 1.5%
  false_alarms: 1%
  adjust: holm
  fail_on: [inconclusive]
  confidence: 90%
  power: 80%
  session_sd: 2%
  session_sd_weight: 4
  window: 5
  min_sessions: 4
  work_tolerance: 0%
  screen: {p: 0.1, effect: 3%}
limits: {"a::*": {j_per_request: 12}}
overrides: {"b::*": {budget: 10%, min_effect: 3%, trials: 20, limit: {energy_j: 5}}}
suites:
  - {name: one, kind: command, command: [./bench]}
"""
    )
    assert settings.meters == ("rapl", "nvml")
    assert settings.sysfs == Path("/host/sys")
    assert settings.estimate == EstimateOptions(watts_per_core=8, base_w=20)
    assert settings.baselines == str(tmp_path / "kept/here")
    assert settings.trials == TrialSettings(
        count=20, warmup=2, min_time_s=3, min_time_gpu_s=12, cooldown_s=1.5, max_invalid=0.1
    )
    assert settings.policy == Policy(
        budget=0.04,
        min_effect=0.015,
        false_alarms=0.01,
        adjust="holm",
        fail_on=(Outcome.INCONCLUSIVE,),
        allow_estimates=True,
        confidence=0.9,
        power=0.8,
        session_sd=0.02,
        session_sd_weight=4,
        window=5,
        min_sessions=4,
        max_invalid=0.1,
        work_tolerance=0.0,
        screen_p=0.1,
        screen_effect=0.03,
    )
    assert settings.rules_for("a::x").limits == {Metric.J_PER_REQUEST: 12}
    assert settings.rules_for("b::x") == Rules(budget=0.1, min_effect=0.03, limits={Metric.ENERGY_J: 5})
    assert [suite.name for suite in settings.suites] == ["energygate.yml::one"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("budget: 5%", f":2: budget: unknown key. Allowed here: {TOP}."),
        ("gate:\n  min_efect: 2%", f":3: gate.min_efect: unknown key. Allowed here: {GATE}."),
        ("gate: {screen: {pp: 0.1}}", ":2: gate.screen.pp: unknown key. Allowed here: p, effect."),
        ("anchor: []", f":2: anchor: unknown key. Allowed here: {TOP}."),
        (
            'overrides:\n  "a.py::test_x[a-b]":\n    budgt: 5%',
            ":4: overrides.a.py::test_x[a-b].budgt: unknown key. Allowed here: budget, min_effect, trials, limit.",
        ),
        (
            "suites:\n  - {name: a, kind: command, command: [x], trails: {count: 3}}",
            (":3: suites[0].trails: unknown key. Allowed here: kind, name, command, setup, env, timeout, work, tokens, "
            "trials, limits, matrix."),
        ),
        (
            "suites:\n  - {name: a, kind: comand, command: [x]}",
            ":3: suites[0].kind: Invalid value 'comand'. Allowed here: inference, command, python.",
        ),
        ("trials:\n  count: many", ":3: trials.count: Expected `int | null`, got `str`."),
        ("trials: {count: 0}", ":2: trials.count: Expected `int` >= 1."),
        ("trials: {count: -1}", ":2: trials.count: Expected `int` >= 1."),
        ("trials: {warmup: -1}", ":2: trials.warmup: Expected `int` >= 0."),
        ("trials: {min_time: 0}", ":2: trials.min_time: Expected `float` > 0.0."),
        ("trials: {cooldown: -1}", ":2: trials.cooldown: Expected `float` >= 0.0."),
        ("gate:\n  budget: 5", ":3: gate.budget: expected a percentage such as 5%, got 5."),
        ("gate: {budget: five%}", ":2: gate.budget: expected a percentage such as 5%, got 'five%'."),
        ("gate: {budget: -5%}", ":2: gate.budget: expected a percentage such as 5%, got '-5%'."),
        ("gate: {adjust: none}", ":2: gate.adjust: Invalid enum value 'none'. Allowed here: bh, holm."),
        (
            "gate: {fail_on: [regressed, pass]}",
            f":2: gate.fail_on[1]: Invalid enum value 'pass'. Allowed here: {FAIL_ON}.",
        ),
        ("gate: {fail_on: regressed}", ":2: gate.fail_on: Expected `array`, got `str`."),
        ("gate: {min_sessions: 2}", ":2: gate.min_sessions: Expected `int` >= 3."),
        (
            "gate: {false_alarms: 0%}",
            ":2: gate: false_alarms must be above 0 % and below 100 %, got 0 %.",
        ),
        ("gate: {confidence: 5%}", ":2: gate: confidence must be above 50 % and below 100 %, got 5 %."),
        ("gate: {power: 100%}", ":2: gate: power must be above 50 % and below 100 %, got 100 %."),
        ("gate: {session_sd: 0%}", ":2: gate: session_sd must be above 0 % and below 100 %, got 0 %."),
        ("gate: {min_effect: 6%}", f": gate: min_effect 6 %, budget 5 %: {CHOOSE}"),
        ("gate: {budget: 200%}", f": gate: min_effect 2 %, budget 200 %: {CHOOSE}"),
        ("gate: {budget: 0%}", f": gate: min_effect 2 %, budget 0 %: {CHOOSE}"),
        ("overrides: {a: {min_effect: 6%}}", f": overrides.a: gate: min_effect 6 %, budget 5 %: {CHOOSE}"),
        (
            "overrides: {a: {budget: 3%, min_effect: 4%}}",
            f": overrides.a: gate: min_effect 4 %, budget 3 %: {CHOOSE}",
        ),
        ("limits: {a: {energy_j: 0}}", ":2: limits.a.energy_j: Expected `float` > 0.0."),
        (
            "limits:\n  a: {energy_j: 1}\n  b: {joules: 1}",
            f":4: limits.b: Invalid enum value 'joules'. Allowed here: {LIMITS}.",
        ),
        ("gate:\n  budget: 5%\n  budget: 6%", ":4: gate.budget: given twice."),
        ("gate: {}\ngate: {}", ":3: gate: given twice."),
        ("gate:", ":2: gate: Expected `object`, got `null`."),
        ("allow_estimates: 'yes'", ":2: allow_estimates: Expected `bool`, got `str`."),
        (
            "meters: [rapl, volt]",
            (":2: meters[1]: not as it must be written. Allowed here: auto, rapl, nvml, pyrapl, prometheus, "
            "codecarbon, estimate, replay:FILE."),
        ),
        ("meters: rapl", ":2: meters: Invalid enum value 'rapl'. Allowed here: auto, a list such as [estimate]."),
        (
            "trials: {min_time: 1s}",
            (
                ":2: trials.min_time: Expected `float | null`, got `str`. Allowed here: a number of seconds such as "
                "1.5."
            ),
        ),
        ("limits: {a: {energy_j: 1e-06}}", ":2: limits.a.energy_j: YAML takes 1e-06 for a text: write 1.0e-06."),
        ("limits: {a: {energy_j: 1.5E6}}", ":2: limits.a.energy_j: YAML takes 1.5E6 for a text: write 1.5e+6."),
        (
            "suites: [{name: a, command: [x]}]",
            ":2: suites[0]: Object missing required field `kind`. Allowed here: inference, command, python.",
        ),
        (
            "suites: [{name: a b, kind: command, command: [x]}]",
            (
                ":2: suites[0].name: not as it must be written. Allowed here: at most 64 letters, digits, dots, "
                "underscores and hyphens, a letter or digit first."
            ),
        ),
        (
            "suites: [{name: a, kind: command, command: ./x}]",
            (
                ":2: suites[0].command: Expected `array`, got `str`. Allowed here: a list with an item for each word: "
                "[python, -m, …]."
            ),
        ),
        (
            "suites: [{name: a, kind: inference, load: {concurrency: [1, 8]}}]",
            (
                ":2: suites[0].load.concurrency: Expected `int`, got `array`. Allowed here: one number; several go "
                "into `matrix: {load.concurrency: [1, 8]}`."
            ),
        ),
        ("meters: []", ":2: meters: Expected `array` of length >= 1."),
        ("baselines: ''", ":2: baselines: Expected `str` of length >= 1."),
        (f"suites: [{COMMAND}, {COMMAND}]", ": suites[0] and suites[1] are both named 'one'; rename one of them."),
        ("\tgate: {}", (":2: not YAML: while scanning for the next token, found character '\\t' that cannot start any "
         "token.")),
        ("suites: [*bold, words]", ":2: not YAML: found undefined alias."),
        ("suites: [!Tell me]", ":2: not YAML: could not determine a constructor for the tag."),
        (
            "suites: [{kind: inference, requests: {max_tokens: 1, prompts: [{my prompt: 1}]}}]",
            ":2: suites[0].requests.prompts[0]: an unknown key. Allowed here: messages, prompt, id, max_tokens.",
        ),
        (
            "suites: [{kind: inference, requests: {prompts: [{messages: [{role: Tell me, content: user}]}]}}]",
            (
                ":2: suites[0].requests.prompts[0].messages[0].role: Invalid enum value. Allowed here: assistant, "
                "developer, system, tool, user."
            ),
        ),
        ("limits: &a {x: *a}", ": nested too deeply, or an alias that contains itself."),
    ],
)  # fmt: skip
def test_a_fault_names_file_line_path_and_what_is_allowed(load, tmp_path, text, message):
    with pytest.raises(ConfigError) as wrong:
        load(text)
    assert str(wrong.value) == f"{tmp_path}/energygate.yml{message}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": empty. Begin with `version: 1`."),
        (b"# all commented out\n", ": empty. Begin with `version: 1`."),
        (b"- 1\n", ":1: the file: Expected `object`, got `array`."),
        (b"gate: {}\n", ":1: the file: Object missing required field `version`."),
        (b"version: 2\n", ":1: version: Invalid enum value 2. Allowed here: 1."),
        (b"version: '1'\n", ":1: version: Expected `int`, got `str`."),
        (b"version: [1\n", ":2: not YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'."),
        (b"version: 1\n\xff\n", ": not UTF-8 (invalid start byte at byte 11)."),
        (b"#" * (2**20 + 1), ": longer than 1048576 bytes. Move its prompts to a file: requests.dataset."),
        (
            b"a: &a [x, x, x, x]\n"
            + b"".join(b"%c: &%c [*%c, *%c, *%c, *%c]\n" % (n, n, *[n - 1] * 4) for n in b"bcdefghi"),
            ": more than 100000 values, each alias written out. Write fewer.",
        ),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content, message):
    (file := tmp_path / "energygate.yml").write_bytes(content)
    with pytest.raises(ConfigError) as wrong:
        read_config(file)
    assert str(wrong.value) == f"{file}{message}"


def test_a_file_that_was_named_and_is_not_there_is_refused(load, tmp_path):
    with pytest.raises(ConfigError) as wrong:
        load(config="gone.yml")
    gone = tmp_path / "gone.yml"
    assert str(wrong.value) == f"Cannot read {gone}: No such file or directory. Give a file that is there."


def test_a_suite_file_that_is_not_there_is_named_with_the_place_that_names_it(load, tmp_path):
    with pytest.raises(ConfigError) as wrong:
        load("suites: [gone.energy.yml]")
    assert str(wrong.value) == (
        f"{tmp_path}/energygate.yml: suites[0]: Cannot read {tmp_path}/gone.energy.yml: No such file or directory. "
        "Give a file that is there."
    )


def test_a_fault_in_a_suite_file_names_that_file_and_its_line(tmp_path):
    (file := tmp_path / "a.energy.yml").write_text("version: 1\nsuites:\n  - name: one\n    kind: command\n")
    with pytest.raises(ConfigError) as wrong:
        read_suites(file, folder=tmp_path)
    assert str(wrong.value) == f"{file}:3: suites[0]: Object missing required field `command`."


@pytest.mark.parametrize(("written", "fraction"), [("5%", 0.05), ("5 %", 0.05), ("' 2.5% '", 0.025), ("12.5%", 0.125)])
def test_a_percentage_is_a_fraction_however_it_is_spaced(load, written, fraction):
    assert load(f"gate: {{budget: {written}}}").policy.budget == pytest.approx(fraction, rel=1e-15)


def test_a_suite_in_the_file_and_suites_in_files_are_named_by_their_path(load, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b.energy.yml").write_text(f"version: 1\nsuites: [{COMMAND}]\n")
    settings = load(f"suites: [sub/b.energy.yml, {COMMAND}]")
    assert [(suite.name, suite.file) for suite in settings.suites] == [
        ("energygate.yml::one", tmp_path / "energygate.yml"),
        ("sub/b.energy.yml::one", tmp_path / "sub/b.energy.yml"),
    ]
    own = read_config_suites(tmp_path / "energygate.yml", folder=tmp_path)
    assert [suite.name for suite in own] == ["energygate.yml::one"]


def test_a_suite_of_a_file_is_defined_at_its_own_line_all_of_a_matrix_at_one(tmp_path):
    (file := tmp_path / "b.energy.yml").write_text(
        "version: 1\n"
        "suites:\n"
        "  - name: one\n"
        "    kind: command\n"
        "    command: [sleep, '1']\n"
        "\n"
        "  - name: two\n"
        "    kind: command\n"
        "    command: [sleep, '2']\n"
        "    matrix: {timeout: [5, 6]}\n"
    )
    assert [(each.name, each.location) for each in read_suites(file, folder=tmp_path)] == [
        ("b.energy.yml::one", Location(file="b.energy.yml", line=3)),
        ("b.energy.yml::two[timeout=5]", Location(file="b.energy.yml", line=7)),
        ("b.energy.yml::two[timeout=6]", Location(file="b.energy.yml", line=7)),
    ]


def test_a_suite_file_outside_the_folder_is_named_by_its_name_alone(tmp_path):
    (file := tmp_path / "b.energy.yml").write_text(f"version: 1\nsuites: [{COMMAND}]\n")
    assert [suite.name for suite in read_suites(file, folder=tmp_path / "elsewhere")] == ["b.energy.yml::one"]


def test_an_option_wins_over_the_environment_and_the_environment_over_the_file(load):
    text = "trials: {count: 3}\nmeters: [rapl]\ngate: {fail_on: [missing]}\nbaselines: a"
    environ = {"ENERGYGATE_METERS": "nvml", "ENERGYGATE_FAIL_ON": "suspect,invalid"}
    assert load(text).meters == ("rapl",)
    assert load(text, environ=environ).meters == ("nvml",)
    assert load(text, environ=environ, meters="estimate, rapl").meters == ("estimate", "rapl")
    assert load(text, environ=environ).policy.fail_on == (Outcome.SUSPECT, Outcome.INVALID)
    assert load(text, environ=environ, fail_on="no_baseline").policy.fail_on == (Outcome.NO_BASELINE,)


def test_every_option_can_come_from_the_environment(load, tmp_path):
    settings = load(
        environ={
            "ENERGYGATE_MODE": "gate",
            "ENERGYGATE_SYSFS": "/host/sys",
            "ENERGYGATE_ALLOW_ESTIMATES": "true",
            "ENERGYGATE_BASELINES": "elsewhere",
            "ENERGYGATE_TRIALS": "7",
            "ENERGYGATE_WARMUP": "0",
            "ENERGYGATE_MIN_TIME": "0.5",
            "ENERGYGATE_BUDGET": "10%",
            "ENERGYGATE_SAVE": "run.json",
            "ENERGYGATE_REPORT": "json:r.json,markdown:r.md",
        }
    )
    assert (settings.mode, settings.sysfs, settings.allow_estimates) == (Mode.GATE, Path("/host/sys"), True)
    assert (settings.baselines, settings.policy.budget) == (str(tmp_path / "elsewhere"), 0.1)
    assert settings.forced == TrialOverrides(count=7, warmup=0, min_time=0.5, min_time_gpu=0.5)
    assert settings.save == tmp_path / "run.json"
    assert settings.reports == (
        ReportTarget(format="json", path=tmp_path / "r.json"),
        ReportTarget(format="markdown", path=tmp_path / "r.md"),
    )


def test_whoever_waits_for_the_machine_says_how_long_in_the_file_or_over_it(load):
    assert load().lock_timeout_s == 0.0
    assert load("lock_timeout: 60").lock_timeout_s == 60.0
    assert load("lock_timeout: 60", environ={"ENERGYGATE_LOCK_TIMEOUT": "90"}).lock_timeout_s == 90.0
    assert load("lock_timeout: 60", lock_timeout="0").lock_timeout_s == 0.0
    with pytest.raises(ConfigError, match=r": lock_timeout: Expected `float` >= 0\.0\.$"):
        load("lock_timeout: -1")


def test_the_mode_can_come_from_the_environment(load):
    assert load(environ={"ENERGYGATE_MODE": "record"}).mode is Mode.RECORD


@pytest.mark.parametrize("mode", ["measure", "record"])
def test_a_report_is_refused_where_nothing_is_judged(load, mode):
    with pytest.raises(ConfigError) as refusal:
        load(mode=mode, report=("json:r.json",), prefix="--energy-")
    assert str(refusal.value) == (
        f"--energy-report asks for a verdict, and mode {mode} makes none. "
        "Use --energy-save for the run itself, or mode gate."
    )
    assert len(load(mode="gate", report=("json:r.json",)).reports) == 1


def test_a_pattern_that_fits_no_benchmark_is_told(load):
    settings = load(
        'limits: {"a.py::*": {energy_j: 1}, "gone.py::*": {energy_j: 1}}\n'
        'overrides: {"a.py::x[1]": {budget: 10%}, "A.py::*": {budget: 10%}}\n'
    )
    assert settings.unused_patterns(["a.py::x[1]", "b.py::y"]) == [
        "limits: 'gone.py::*' fits no benchmark of this run, so it decides nothing",
        "overrides: 'A.py::*' fits no benchmark of this run, so it decides nothing",
    ]
    assert load("").unused_patterns([]) == []


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("a.energy.yml::chat[concurrency=8]", True),
        ("*::chat[concurrency=8]", True),
        ("a.energy.yml::chat[concurrency=*]", True),
        ("a.energy.yml::chat[*]", True),
        ("*::chat*", True),
        ("*::cha[st]*", True),
        ("*::chat[concurrency=1]", False),
        ("*::chat", False),
        ("*::cha[!t]*", False),
    ],
)
def test_a_bracket_in_a_pattern_is_one_of_the_name_or_a_set(load, pattern, fits):
    settings = load(f'limits: {{"{pattern}": {{energy_j: 1}}}}\noverrides: {{"{pattern}": {{trials: 3}}}}\n')
    name = "a.energy.yml::chat[concurrency=8]"
    assert (settings.rules_for(name).limits == {Metric.ENERGY_J: 1.0}) is fits
    assert (settings.trials_for(name, TrialOverrides()).count == 3) is fits
    assert (settings.unused_patterns([name]) == []) is fits


def test_the_configuration_is_looked_for_upwards_and_within_the_repository(tmp_path):
    (inner := tmp_path / "repository" / "a" / "b").mkdir(parents=True)
    (tmp_path / "energygate.yml").touch()
    (tmp_path / "repository" / ".git").mkdir()
    assert find_home(inner) == inner
    (tmp_path / "repository" / "energygate.yml").touch()
    assert find_home(inner) == find_home(tmp_path / "repository") == tmp_path / "repository"
    (tmp_path / "repository" / "a" / "energygate.yml").touch()
    assert find_home(inner) == tmp_path / "repository" / "a"


def test_the_folder_of_a_worktree_holds_a_file_called_git_and_ends_the_search_too(tmp_path):
    (inner := tmp_path / "worktree" / "a").mkdir(parents=True)
    (tmp_path / "energygate.yml").touch()
    (tmp_path / "worktree" / ".git").touch()
    assert find_home(inner) == inner


def test_a_flag_that_was_not_given_leaves_the_file_its_say(load):
    assert load("allow_estimates: true", allow_estimates=None).policy.allow_estimates is True
    assert load("allow_estimates: true", environ={"ENERGYGATE_ALLOW_ESTIMATES": "no"}).allow_estimates is False


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("trials", "0", "expected a whole number from 1 to 1000000."),
        ("trials", "1.5", "expected a whole number from 1 to 1000000."),
        ("trials", "1000001", "expected a whole number from 1 to 1000000."),
        ("trials", 5000 * "9", "expected a whole number from 1 to 1000000."),
        ("warmup", "-1", "expected a whole number from 0 to 1000000."),
        ("min-time", "0", "expected seconds above 0."),
        ("min-time", "inf", "expected seconds above 0."),
        ("min-time", "soon", "expected seconds above 0."),
        ("lock-timeout", "-1", "expected seconds, or 0."),
        ("lock-timeout", "nan", "expected seconds, or 0."),
        ("baselines-at", "git:b@HEAD", "expected what `energygate baseline fetch` gives."),
        ("mode", "gait", "did you mean gate? allowed: measure, gate, record."),
        ("budget", "5", "expected a percentage such as 5%, got '5'."),
        ("budget", "0%", "expected a percentage above 0% and up to 100%."),
        ("report", "pdf:x", f"there is no such format. There are {named_formats('and')}."),
        ("report", "jsn:x", f"there is no such format. Did you mean json? There are {named_formats('and')}."),
        ("report", "json", f"expected FORMAT:FILE with the format {named_formats()}."),
        ("report", "json:", f"expected FORMAT:FILE with the format {named_formats()}."),
        (
            "fail-on",
            "pass",
            (
                "it is a proven pass; allowed: over_limit, regressed, invalid, missing, suspect, inconclusive, "
                "incomparable, no_baseline."
            ),
        ),
        (
            "fail-on",
            "slow",
            (
                "allowed: over_limit, regressed, invalid, missing, suspect, inconclusive, incomparable, no_baseline, "
                "improved, pass."
            ),
        ),
    ],
)
def test_an_impossible_option_is_named_as_it_was_given(load, option, value, message):
    with pytest.raises(ConfigError) as by_option:
        load(prefix="--energy-", **{option: value})
    variable = f"ENERGYGATE_{option.upper().replace('-', '_')}"
    with pytest.raises(ConfigError) as by_variable:
        load(environ={variable: value})
    assert str(by_option.value) == f"--energy-{option}: {value!r}: {message}"
    assert str(by_variable.value) == f"{variable}: {value!r}: {message}"


def test_a_variable_that_is_neither_true_nor_false_is_refused(load):
    with pytest.raises(ConfigError) as wrong:
        load(environ={"ENERGYGATE_ALLOW_ESTIMATES": "perhaps"})
    assert str(wrong.value) == "ENERGYGATE_ALLOW_ESTIMATES: 'perhaps': expected true or false."


def test_a_budget_below_the_smallest_effect_lowers_that_too(load):
    policy = load("gate: {min_effect: 2%}", budget="1%").policy
    assert (policy.budget, policy.min_effect) == (0.01, 0.01)


def test_paths_in_options_start_where_the_user_is_and_paths_in_the_file_at_the_file(load, tmp_path):
    here = tmp_path / "sub"
    settings = load("baselines: kept", here=here, save="run.json", report=("json:a.json", "markdown:b.md"))
    assert settings.baselines == str(tmp_path / "kept")
    assert settings.save == here / "run.json"
    assert [target.path for target in settings.reports] == [here / "a.json", here / "b.md"]
    assert load(here=here, baselines="mine").baselines == str(here / "mine")


def test_a_named_file_is_home_to_the_paths_in_it(load, tmp_path):
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci/gate.yml").write_text("version: 1\nbaselines: kept\n")
    settings = load(config="ci/gate.yml")
    assert (settings.folder, settings.baselines) == (tmp_path / "ci", str(tmp_path / "ci/kept"))


@pytest.mark.parametrize("uri", ["git:energy", "s3://bucket/energy"])
def test_a_store_that_is_no_folder_is_left_as_it_is_written(load, uri):
    assert load(f"baselines: {uri}").baselines == uri
    assert load(baselines=uri).baselines == uri


def test_a_pattern_may_hold_brackets_because_names_do(load):
    settings = load('overrides: {"a.py::test_x[a-b]": {budget: 10%}}\nlimits: {"a.py::test_x[a-b]": {energy_j: 3}}')
    assert settings.rules_for("a.py::test_x[a-b]") == Rules(budget=0.1, min_effect=0.02, limits={Metric.ENERGY_J: 3})
    assert settings.rules_for("a.py::test_xa") == Rules(budget=0.1, min_effect=0.02, limits={Metric.ENERGY_J: 3})
    assert settings.rules_for("a.py::test_y") == Rules()


def test_of_patterns_that_fit_the_last_one_wins_key_by_key(load):
    settings = load(
        'overrides: {"*": {budget: 10%, trials: 3, limit: {energy_j: 1}}, "a::*": {budget: 20%, limit: {energy_j: 2}}}'
    )
    assert settings.rules_for("a::x") == Rules(budget=0.2, min_effect=0.02, limits={Metric.ENERGY_J: 2})
    assert settings.trials_for("a::x", TrialOverrides()).count == 3
    assert settings.rules_for("b::x") == Rules(budget=0.1, min_effect=0.02, limits={Metric.ENERGY_J: 1})


def test_a_small_budget_of_a_pattern_lowers_the_smallest_effect_too(load):
    assert load("overrides: {a: {budget: 1%}}").rules_for("a") == Rules(budget=0.01, min_effect=0.01)


def test_the_marker_wins_over_overrides_and_these_over_the_gate(load):
    settings = load("gate: {budget: 5%}\noverrides: {a: {budget: 10%, trials: 20, limit: {energy_j: 9}}}")
    marker = marker_keys({"budget": "3%", "trials": 4, "min_time": 2, "limit": {"energy_j": 1.5}}, origin="a")
    assert settings.rules_for("other").budget == 0.05
    assert settings.rules_for("a").budget == 0.1
    assert settings.rules_for("a", marker) == Rules(budget=0.03, min_effect=0.02, limits={Metric.ENERGY_J: 1.5})
    measured = settings.trials_for("a", marker.as_trials())
    assert (measured.count, measured.min_time_s, measured.min_time_gpu_s) == (4, 2, 2)


def test_an_option_wins_over_the_marker(load):
    settings = load("overrides: {a: {trials: 20}}", trials="3", warmup="0", min_time="0.1")
    measured = settings.trials_for("a", MarkerKeys(trials=4, warmup=5, min_time=6).as_trials())
    assert (measured.count, measured.warmup, measured.min_time_s) == (3, 0, 0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 3}, "(n=\N{HORIZONTAL ELLIPSIS}): unknown argument. Did you mean trials=?"),
        (
            {"trails": 3},
            ": trails: unknown key. Allowed here: trials, warmup, min_time, budget, min_effect, limit.",
        ),
        ({"trials": 0}, ": trials: Expected `int` >= 1."),
        ({"budget": 3}, ": budget: expected a percentage such as 5%, got 3."),
        ({"limit": {"energy_j": 0}}, ": limit.energy_j: Expected `float` > 0.0."),
        ({"limit": {"joules": 1}}, f": limit: Invalid enum value 'joules'. Allowed here: {LIMITS}."),
    ],
)
def test_a_fault_of_the_marker_names_the_test_and_the_argument(arguments, message):
    with pytest.raises(ConfigError) as wrong:
        marker_keys(arguments, origin="a.py::test_x")
    assert str(wrong.value) == f"a.py::test_x: @pytest.mark.energy{message}"


def test_a_marker_whose_smallest_effect_is_above_its_budget_is_refused(load):
    with pytest.raises(ConfigError) as wrong:
        load().rules_for("a", MarkerKeys(budget=0.03, min_effect=0.04).as_rules())
    assert str(wrong.value) == f"gate: min_effect 4 %, budget 3 %: {CHOOSE}"


def test_a_budget_given_as_an_option_wins_over_every_pattern(tmp_path):
    (tmp_path / "energygate.yml").write_text("version: 1\noverrides: {'*': {budget: 10%}}\n")
    settings = load_settings({"budget": "3%"}, prefix="--", environ={}, folder=tmp_path, here=tmp_path)
    assert settings.rules_for("bench.py::test_encode").budget == 0.03


def test_outside_a_repository_nobody_looks_upwards(tmp_path):
    (inner := tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "energygate.yml").touch()
    assert find_home(inner) == inner
    assert find_home(tmp_path) == tmp_path


def test_two_files_of_one_name_are_refused(tmp_path):
    options = {"save": "x.json", "report": ("json:x.json",)}
    with pytest.raises(ConfigError) as refused:
        load_settings(options, prefix="--", environ={}, folder=tmp_path, here=tmp_path)
    assert str(refused.value) == "Two of the files to write are the same. Give each report and the run its own file."


@pytest.mark.parametrize(
    ("target", "why"), [("energygate.yml", "Too many levels of symbolic links"), ("gone", "No such file or directory")]
)
def test_a_settings_file_that_is_a_link_to_nowhere_is_no_lack_of_settings(load, tmp_path, target, why):
    (link := tmp_path / "energygate.yml").symlink_to(target)
    (below := tmp_path / "below").mkdir()
    (tmp_path / ".git").mkdir()
    assert find_home(below) == tmp_path
    with pytest.raises(ConfigError) as refused:
        load()
    assert str(refused.value) == f"Cannot read {link}: {why}. Give a file that is there."
