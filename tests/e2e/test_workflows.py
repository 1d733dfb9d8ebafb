"""The workflows that we run, the ones that we show, and `action.yml`: linted, pinned, and guarded against forks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples/workflows").glob("*.yml"))
WORKFLOWS = [*sorted((ROOT / ".github/workflows").glob("*.yml")), *EXAMPLES]
MEASURING = [path for path in WORKFLOWS if path.name != "ci.yml"]
ACTION = ROOT / "action.yml"
PINNED = re.compile(r"^\s*(?:- )?uses: (?P<what>[\w./-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+$", re.MULTILINE)
USES = re.compile(r"^\s*(?:- )?uses: *+['\"]?+(?!\./)", re.MULTILINE)
OWN = ("energy", "record")
ON = True  # how YAML 1.1 reads the key `on`
OURS = "OWNER/energygate@0123456789012345678901234567890123456789"
SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"
DEFAULT_BRANCH = "github.ref == format('refs/heads/{0}', github.event.repository.default_branch)"
ANOTHER_REPOSITORY = "github.event.pull_request.head.repo.full_name != github.repository"


def named(paths):
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def lint(tool, *arguments):
    """What a linter says, if anything is wrong; the linters are those of this environment."""
    binary = Path(sys.executable).with_name(tool)
    done = subprocess.run([binary, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


def read(name):
    return yaml.safe_load((ROOT / "examples/workflows" / name).read_text())


def test_the_examples_are_those_that_the_documentation_names():
    text = (ROOT / "docs/github.md").read_text()
    assert {path.name for path in EXAMPLES} == set(re.findall(r"examples/workflows/([\w-]+\.yml)", text))


def test_actionlint_has_nothing_against_any_workflow():
    quiet = ("-shellcheck=", "-pyflakes=")  # they are taken from wherever the machine has them
    assert lint("actionlint", *quiet, "-config-file", ".github/actionlint.yaml", *WORKFLOWS) == ""


def test_zizmor_has_nothing_against_any_workflow_nor_the_action():
    assert lint("zizmor", "--offline", "--persona", "pedantic", "--format", "plain", *WORKFLOWS, ACTION) == ""


def test_every_workflow_and_the_action_keep_to_github_s_schemas():
    assert lint("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS) == ""
    assert lint("check-jsonschema", "--builtin-schema", "vendor.github-actions", ACTION) == ""


@pytest.mark.parametrize("path", named([*WORKFLOWS, ACTION]))
def test_what_comes_from_another_repository_is_pinned_by_its_commit_and_says_which_version_that_is(path):
    text = path.read_text()
    assert len(USES.findall(text)) == len(PINNED.findall(text))


@pytest.mark.parametrize("path", named(WORKFLOWS))
def test_no_workflow_runs_on_pull_request_target(path):
    assert "pull_request_target" not in yaml.safe_load(path.read_text())[ON]


@pytest.mark.parametrize("path", named(WORKFLOWS))
def test_a_workflow_gives_no_permission_and_each_job_takes_what_it_needs(path):
    document = yaml.safe_load(path.read_text())
    assert document["permissions"] == {}
    assert all("permissions" in job and "timeout-minutes" in job for job in document["jobs"].values())


@pytest.mark.parametrize("path", named(MEASURING))
def test_only_what_a_maintainer_allowed_comes_from_a_fork_to_the_lab_machine(path):
    document = yaml.safe_load(path.read_text())
    guards = [job["if"] for job in document["jobs"].values() if "energy-lab" in job["runs-on"]]
    labelled = f"github.event.label.name == 'energy-ok' && {ANOTHER_REPOSITORY}"
    if path.name == "energy-fork.yml":
        assert guards == [labelled]
    elif "pull_request" in document[ON]:
        assert all(guard.endswith(SAME_REPOSITORY) for guard in guards)
        assert guards != []
    else:
        known = ["github.ref == 'refs/heads/main'", f"github.event_name == 'schedule' || {DEFAULT_BRANCH}"]
        lab = path.name != "energy-comment.yml"
        assert guards == [known[path.parent.parent.name == "examples"]] * lab


@pytest.mark.parametrize("path", named(MEASURING))
def test_a_skipped_measurement_never_is_the_required_check(path):
    document = yaml.safe_load(path.read_text())
    gates = [job for job in document["jobs"].values() if job.get("name", "").startswith("energy gate")]
    measures = [key for key, job in document["jobs"].items() if "energy-lab" in job["runs-on"]]
    gated = "pull_request" in document[ON] and path.name != "energy-fork.yml"
    assert [(job["if"], job["needs"]) for job in gates] == ([("always()", measures)] if gated else [])


def test_a_fork_is_measured_on_a_label_without_a_token_that_writes():
    document = read("energy-fork.yml")
    (job,) = document["jobs"].values()
    checkout, measure, upload = job["steps"]
    assert document[ON] == {"pull_request": {"types": ["labeled"]}}
    assert job["permissions"] == {"contents": "read"}
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.head.sha }}"
    assert (measure["uses"], measure["with"]["github-token"]) == (OURS, "")
    assert upload["with"]["name"] == "energygate-default"
    assert upload["with"]["path"] == "${{ steps.energy.outputs.report }}"


def test_the_job_that_comments_on_a_fork_runs_nothing_but_the_action():
    document = read("energy-comment.yml")
    (job,) = document["jobs"].values()
    assert document[ON] == {"workflow_run": {"workflows": [read("energy-fork.yml")["name"]], "types": ["completed"]}}
    assert job["permissions"] == {"actions": "read", "pull-requests": "write"}
    assert (job["runs-on"], job["steps"]) == ("ubuntu-latest", [{"uses": OURS}])


def test_only_recording_may_push_and_never_for_a_pull_request():
    writers = {}
    for path in MEASURING:
        document = yaml.safe_load(path.read_text())
        if any(job["permissions"].get("contents") == "write" for job in document["jobs"].values()):
            writers[str(path.relative_to(ROOT))] = sorted(document[ON])
    assert writers == {
        ".github/workflows/record.yml": ["push", "schedule", "workflow_dispatch"],
        "examples/workflows/nightly.yml": ["schedule", "workflow_dispatch"],
        "examples/workflows/record-folder.yml": ["push", "schedule", "workflow_dispatch"],
        "examples/workflows/record-matrix.yml": ["push", "schedule", "workflow_dispatch"],
        "examples/workflows/record.yml": ["push", "schedule", "workflow_dispatch"],
    }


def legs(name):
    """The legs of a workflow that is a matrix, and what each is told."""
    (job,) = [job for job in read(name)["jobs"].values() if "strategy" in job]
    return job["strategy"], next(step["with"] for step in job["steps"] if step.get("uses") == OURS)


def test_every_leg_of_the_matrix_is_recorded_as_it_is_measured():
    measured, gated = legs("matrix.yml")
    recorded, stored = legs("record-matrix.yml")
    assert recorded == measured
    assert stored == gated | {"mode": "record"}


def test_no_two_examples_have_a_job_of_one_name_that_may_be_required():
    names = [job["name"] for path in EXAMPLES for job in read(path.name)["jobs"].values()]
    gates = [name for name in names if name.startswith("energy gate")]
    assert gates == ["energy gate", "energy gate of the model", "energy gate of all suites"]


def test_a_job_on_another_branch_never_takes_the_place_of_a_recording_that_waits():
    groups = [read(path.name)["concurrency"]["group"] for path in EXAMPLES if "record" in path.name]
    assert {group.removeprefix("energy-baseline-").removeprefix("matrix-") for group in groups} == {"${{ github.ref }}"}


FORK = "a fork is not measured here: push the branch to this repository (docs/github.md#forks)"


@pytest.mark.parametrize("name", ["energy.yml", "llm-gpu.yml", "matrix.yml"])
@pytest.mark.parametrize("result", ["success", "skipped", "failure", "cancelled"])
def test_the_required_job_says_whether_it_was_a_fork_or_where_to_look(name, result):
    document = read(name)
    (step,) = document["jobs"]["gate"]["steps"]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", step["run"]],
        env={"RESULT": result},
        capture_output=True,
        text=True,
        check=False,
    )
    if result == "success":
        assert (done.returncode, done.stdout) == (0, "")
        return
    measuring = document["jobs"]["measure"]["name"].partition(" ${{")[0]
    assert done.returncode == 1
    assert done.stdout.startswith("::error title=energy gate::")
    assert (FORK in done.stdout) == (result == "skipped")
    assert (f"'{measuring}" in done.stdout and f"ended as '{result}'" in done.stdout) == (result != "skipped")


def test_our_own_pull_requests_are_measured_as_the_runs_that_they_are_compared_with_were():
    measured, recorded = (
        next(step["with"] for job in document["jobs"].values() for step in job["steps"] if step.get("uses") == "./")
        for document in (yaml.safe_load((ROOT / ".github/workflows" / f"{name}.yml").read_text()) for name in OWN)
    )
    assert recorded == measured | {"mode": "record"}
