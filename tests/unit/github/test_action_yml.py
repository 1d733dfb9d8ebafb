"""action.yml: inputs reach code in variables alone, and mean what the code takes them for."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from energygate.github.inputs import MeasureInputs, PublishInputs

ACTION = yaml.safe_load((Path(__file__).parents[3] / "action.yml").read_text())
INPUTS = ACTION["inputs"]
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
INPUT = re.compile(r"\$\{\{ inputs\.([a-z-]+) \}\}")


def handed_over(step, defaults):
    """The variables of a step that are ours, with every input at this value."""
    filled = {name: INPUT.sub(lambda found: defaults[found[1]], text) for name, text in STEPS[step]["env"].items()}
    return {name: value for name, value in filled.items() if name.startswith("ENERGYGATE_") and "${{" not in value}


def test_no_expression_stands_in_a_script_and_every_step_names_its_shell():
    for step in STEPS.values():
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"


def test_every_input_is_used_and_described_and_none_is_that_does_not_exist():
    used = set(INPUT.findall(str(ACTION["runs"])))
    assert used == set(INPUTS)
    assert [name for name, each in INPUTS.items() if not each["description"] or "default" not in each] == []


def test_the_token_reaches_the_steps_that_fetch_and_publish_and_no_other():
    holders = [name for name, step in STEPS.items() if re.search("token", str(step), re.IGNORECASE)]
    assert holders == ["Fetch baselines", "Publish"]


def test_the_defaults_are_those_of_the_code():
    defaults = {name: each["default"] for name, each in INPUTS.items()}
    assert MeasureInputs.read(handed_over("Measure and judge", defaults)) == MeasureInputs()
    assert MeasureInputs.read(handed_over("Fetch baselines", defaults | {"github-token": ""})) == MeasureInputs()
    assert PublishInputs.read(handed_over("Measure and judge", defaults)) == PublishInputs()
    assert PublishInputs.read(handed_over("Publish", defaults | {"github-token": ""})) == PublishInputs()


def test_the_measuring_step_is_handed_every_input_of_the_publishing_one_but_the_token_and_the_results():
    measure, publish = (set(STEPS[name]["env"]) for name in ("Measure and judge", "Publish"))
    results = {"EG_REPORT", "ENERGYGATE_EXIT_CODE", "ENERGYGATE_WHY", "ENERGYGATE_RUN_FILE"}
    assert publish - measure == results | {"ENERGYGATE_GITHUB_TOKEN"}


def script(step, *, cwd=None, **environ):
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]],
        cwd=cwd,
        env={"PATH": os.environ["PATH"]} | environ,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"EG_INSTALL": "yes"}, "input install: it may be: auto, never."),
        ({"EG_EXTRAS": "s3]; x"}, "input extras: it may be names of extras, comma-separated."),
        ({"EG_PYTHON": "no-such-python"}, "input python: there is no such interpreter on this runner."),
        ({"EG_PYTHON": "false"}, "input python: the interpreter is older than 3.11."),
    ],
)
def test_a_wrong_input_ends_the_install_step_with_2_and_is_named(tmp_path, environ, said):
    whole = {"EG_INSTALL": "never", "EG_EXTRAS": "", "EG_PYTHON": sys.executable} | environ
    done = script("Install energygate", **whole, GITHUB_OUTPUT=str(tmp_path / "output"))
    assert (done.returncode, done.stdout) == (2, f"::error title=energygate::{said}\n")


def test_an_interpreter_below_the_current_folder_is_found_from_every_other(tmp_path):
    (own := tmp_path / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    own.chmod(0o755)
    whole = {"EG_INSTALL": "never", "EG_EXTRAS": "", "EG_PYTHON": "./python", "GITHUB_OUTPUT": "output"}
    assert script("Install energygate", cwd=tmp_path, **whole).returncode == 0
    assert (tmp_path / "output").read_text() == f"python={tmp_path}/./python\n"


def test_an_interpreter_that_has_energygate_is_taken_as_it_is(tmp_path):
    whole = {"EG_INSTALL": "never", "EG_EXTRAS": "otel,s3", "EG_PYTHON": sys.executable}
    done = script("Install energygate", **whole, GITHUB_OUTPUT=str(tmp_path / "output"))
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "output").read_text() == f"python={sys.executable}\n"


@pytest.mark.parametrize(("never_fail", "code", "left"), [("false", "1", 1), ("false", "0", 0), ("true", "5", 0)])
def test_the_job_leaves_with_the_exit_code_unless_it_may_never_fail(never_fail, code, left):
    assert script("Verdict", EG_NEVER_FAIL=never_fail, EG_CODE=code).returncode == left
