"""The action and the example workflows, run by act as GitHub runs them, with the fake GitHub to publish to."""

import base64
import json
import os
import shutil
import signal
from pathlib import Path

import fakes_github_faults as faults
import pytest
from fakes_github import zipped
from fakes_github_api import Token
from rig import act as runner
from rig.act import Act, example, make_lab
from rig.fixtures import skip
from rig.widgets import API, COMPRESS, FORK, NOISY, NUMBER, OURS, UNPACK, WORKER, Widgets

from energygate.workloads.proc import stat_of

SUITE = "energygate run compress.energy.yml"
MEASURE, GATE = "measure energy", "energy gate"
PUBLISHED = dict.fromkeys(("install", "baselines", "gate", "publish"), "success")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The interpreter of an environment that has energygate."""
    if missing := runner.missing():
        reason = (
            f"no {missing}: this would have shown that the workflows do what they say, from the event to the comment"
        )
        skip(reason, unless="ENERGYGATE_REQUIRE_ACT")
    return make_lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def stored(lab, tmp_path_factory):
    """acme/widgets with three stored sessions, to copy."""
    widgets = Widgets(tmp_path_factory.mktemp("stored") / "widgets").set_up()
    widgets.record(lab)
    return widgets


@pytest.fixture
def widgets(stored, tmp_path):
    return stored.copy(tmp_path)


@pytest.fixture
def act(widgets, tmp_path):
    return Act(tmp_path / "runner", widgets)


@pytest.fixture
def workflow(lab):
    """Give an example as a lab has it that keeps its own environment, and whose projects need no installation."""
    return lambda name, **inputs: example(name, **{"install": "never", "python": str(lab), "setup": None} | inputs)


@pytest.fixture
def gated(act, widgets, github, workflow):
    """Run energy.yml, with these inputs, on an event of the pull request that is proposed."""

    def run(action="opened", *, base="main", env=None, then=(), **inputs):
        github.pull(NUMBER, head_sha=widgets.sha("topic"), base_sha=widgets.sha(base))
        gate = workflow("energy.yml", **inputs)
        gate["jobs"]["measure"]["steps"] += then
        return act(gate, "pull_request", widgets.pull_request(action, base=base), github=github, env=env)

    return run


def conclusions(github):
    return [(run.name, run.head_sha, run.conclusion) for run in github.check_runs]


def linked(head, base):
    """What a comment says was compared, in turns."""
    head, base = (f"[`{each[:12]}`](https://github.com/{OURS}/commit/{each})" for each in (head, base))
    return f"Head {head} against base {base}, measured in turns with it; screened by 3 stored runs."


def leaks(folder, token):
    """The files, but for act's own, that have the token in them, plain or as git sends it."""
    secrets = (token.encode(), base64.b64encode(f"x-access-token:{token}".encode()))
    files = [
        path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and path.name != runner.SECRETS
    ]
    return [path for path in files if any(secret in path.read_bytes() for secret in secrets)]


def left_behind(act, widgets):
    """The folders of ours and the worktrees that a job has not removed."""
    folders = [path for path in (act.folder / "tmp").iterdir() if path.name.startswith("energygate-")]
    (checkout,) = act.folder.glob("cache/act/*/hostexecutor/.git")
    return folders + widgets.git("-C", str(checkout.parent), "worktree", "list").splitlines()[1:]


LOOKS = """\
import os
from pathlib import Path

def ancestors():
    pid = os.getpid()
    while pid > 0:
        yield Path(f"/proc/{pid}/cmdline").read_bytes()
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

Path(os.environ["SEEN"]).write_bytes(b"\\0".join([*ancestors(), Path("/proc/self/environ").read_bytes()]))
"""
FORGED = ("::add-mask::regressed", "::error::forged", "::set-output name=verdict::passed", "##[error]forged")
NEXT = {
    "if": "always()",
    "env": {"VERDICT": "${{ steps.energy.outputs.verdict }}", "URL": "${{ steps.energy.outputs.comment-url }}"},
    "run": 'echo "next: $VERDICT $URL"',
}
IMPOSTORS = ("energygate/__init__.py", "yaml.py", "click.py")


def test_a_pull_request_that_regresses_and_is_mended_has_one_comment_that_follows_it(
    gated, widgets, github, act, tmp_path
):
    github.foreign_comments(NUMBER, 120)
    for name in IMPOSTORS:  # a repository may have modules of these names, which must not be taken for ours
        widgets.write(name, "raise SystemExit(77)\n")
    widgets.write("bench/conftest.py", LOOKS)

    widgets.propose(worker=1.3)
    said = " ".join(f"'{line}'" for line in FORGED)
    measures = f"printf '%s\\n' {said}; pytest --energy-only bench"
    how = {"run": measures, "against": "none", "env": {"SEEN": tmp_path / "seen"}}
    ran = gated(**how, then=[NEXT])
    assert ran.jobs == {MEASURE: "failure", GATE: "failure"}
    assert ran.steps(MEASURE) == {**PUBLISHED, "verdict": "failure"}
    assert ran.outputs(MEASURE).keys() == {"verdict", "exit-code", "report", "run-file", "comment-url"}
    assert (ran.outputs(MEASURE)["verdict"], ran.outputs(MEASURE)["exit-code"]) == ("failed", "1")
    assert f"next: failed {ran.outputs(MEASURE)['comment-url']}" in ran.printed(MEASURE)
    assert conclusions(github) == [("energygate", widgets.sha("topic"), "failure")]
    (note,) = github.check_runs[0].annotations
    assert (note["path"], note["start_line"], note["annotation_level"]) == ("bench/worker/test_worker.py", 1, "failure")
    (body,) = github.ours(NUMBER)
    assert ran.outputs(MEASURE)["comment-url"].endswith(f"/pull/{NUMBER}#issuecomment-{github.comments(NUMBER)[-1].id}")
    headline = f"## Energy: regressed. `{WORKER}` uses 30.0 % more joules"
    assert body.splitlines()[2] == ran.summary(MEASURE).splitlines()[0] == headline

    assert ran.ignored(MEASURE) == list(FORGED)
    assert ran.told(MEASURE) == []
    seen = (tmp_path / "seen").read_text()
    assert "ENERGYGATE_MODE=gate" in seen
    assert "github-token" not in seen.lower()
    assert github.token not in seen + ran.text + body + str(github.check_runs)
    assert leaks(tmp_path, github.token) == []
    assert {request.headers["authorization"] for request in github.requests} == {f"token {github.token}"}

    github.requests.clear()
    widgets.propose(worker=1.5)
    assert gated("synchronize", **how).jobs == {MEASURE: "failure", GATE: "failure"}
    (body,) = github.ours(NUMBER)
    assert body.splitlines()[2] == f"## Energy: regressed. `{WORKER}` uses 50.0 % more joules"
    comment = github.comments(NUMBER)[-1].id
    assert github.asked == [
        "POST /check-runs",
        f"GET /pulls/{NUMBER}",
        f"GET /issues/{NUMBER}/comments?per_page=100",
        f"GET /issues/{NUMBER}/comments?per_page=100&page=2",
        f"PATCH /issues/comments/{comment}",
    ]

    widgets.propose()
    ran = gated("synchronize", **how)
    assert ran.jobs == {MEASURE: "success", GATE: "success"}
    assert ran.steps(MEASURE) == {**PUBLISHED, "verdict": "success"}
    assert github.ours(NUMBER)[0].splitlines()[2] == "## Energy: no regression found"
    assert [name for _, _, name in conclusions(github)] == ["failure", "failure", "success"]
    assert len(github.comments(NUMBER)) == 121


def test_what_stored_runs_suspect_is_measured_in_turns_with_its_base_and_fails_if_that_proves_it(
    gated, widgets, github, act
):
    widgets.uses(unpack=1.1)  # merged, and not recorded since: stored runs suspect what the pull request did not change
    base = widgets.commit()
    widgets.propose(compress=1.3, unpack=1.1)
    ran = gated(run=SUITE)
    assert ran.jobs == {MEASURE: "failure", GATE: "failure"}
    assert ran.steps(MEASURE) == {**PUBLISHED, "verdict": "failure"}
    assert (ran.outputs(MEASURE)["verdict"], ran.outputs(MEASURE)["exit-code"]) == ("failed", "1")
    assert ran.told(MEASURE) == []
    assert conclusions(github) == [("energygate", widgets.sha("topic"), "failure")]
    report = json.loads((act.artifacts / "energygate-run/report.json").read_text())
    assert [(row["benchmark"], row["outcome"], row["how"], row["blocks"]) for row in report["comparisons"]] == [
        (COMPRESS, "regressed", "interleaved", 6),
        (UNPACK, "pass", "interleaved", 6),
    ]
    said = github.ours(NUMBER)[0].splitlines()
    assert said[2] == f"## Energy: regressed. `{COMPRESS}` uses 30.0 % more joules"
    assert linked(widgets.sha("topic"), base) in said
    assert f"- `{COMPRESS}`: `+30.0 % against the base in 6 blocks: above the budget of 5 %.`" in said
    assert left_behind(act, widgets) == []


def test_where_nothing_was_ever_wrong_there_is_no_comment_and_the_base_is_what_was_merged_with(gated, widgets, github):
    widgets.propose()
    ran = gated(run=SUITE, base="main~1")
    assert (ran.jobs, ran.told()) == ({MEASURE: "success", GATE: "success"}, [])
    assert ran.printed(MEASURE)[0] == f"gate: commit {widgets.sha('topic')[:12]}, base {widgets.sha('HEAD^1')}"
    assert conclusions(github) == [("energygate", widgets.sha("topic"), "success")]
    assert github.ours(NUMBER) == []


def test_each_leg_of_a_matrix_has_a_comment_a_check_run_and_if_need_be_a_policy_of_its_own(
    act, widgets, github, workflow
):
    widgets.propose(api=NOISY, worker=1.3, compress=NOISY)
    github.pull(NUMBER, head_sha=widgets.sha("topic"), base_sha=widgets.sha("main"))
    strict = {"fail-on": "${{ matrix.id == 'compress' && 'regressed, inconclusive' || '' }}"}
    ran = act(workflow("matrix.yml", against="none", **strict), "pull_request", widgets.pull_request(), github=github)
    legs = {
        job: ran.steps(job)["verdict"] for job in ran.jobs if job != "energy gate of all suites"
    }  # act ends all legs as the worst
    assert legs == {
        "measure energy of api-1": "success",
        "measure energy of worker-2": "failure",
        "measure energy of compress-3": "failure",
    }
    assert "exit status 3" in ran.ends("measure energy of compress-3")
    assert ran.jobs["energy gate of all suites"] == "failure"
    assert {run.name: run.conclusion for run in github.check_runs} == {
        "energygate/api": "neutral",
        "energygate/worker": "failure",
        "energygate/compress": "failure",
    }
    assert {body.splitlines()[0]: body.splitlines()[2] for body in github.ours(NUMBER)} == {
        "<!-- energygate:v1:api -->": f"## Energy: inconclusive. `{API}` could not be judged",
        "<!-- energygate:v1:worker -->": f"## Energy: regressed. `{WORKER}` uses 30.0 % more joules",
        "<!-- energygate:v1:compress -->": f"## Energy: inconclusive. `{COMPRESS}` could not be judged",
    }


def test_a_job_that_never_fails_tells_the_verdict_all_the_same(gated, widgets, github):
    widgets.propose(compress=1.3)
    ran = gated(**{"run": SUITE, "against": "none", "never-fail": True})
    assert ran.jobs == {MEASURE: "success", GATE: "success"}
    assert (ran.outputs(MEASURE)["exit-code"], ran.outputs(MEASURE)["verdict"]) == ("1", "failed")
    assert [each for _, _, each in conclusions(github)] == ["neutral"]


def test_a_pull_request_that_deletes_a_benchmark_and_its_baselines_fails_with_4_by_those_of_its_base(
    gated, widgets, github
):
    widgets.keep_baselines()
    shutil.rmtree(widgets.folder / "baselines")
    widgets.change("compress.energy.yml", '  - {name: unpack, kind: command, command: ["true"]}\n', "")
    widgets.change("energygate.yml", "confirm: {", "gate: {budget: 50%}\nconfirm: {against: none, ")
    widgets.propose()
    ran = gated(**{"run": SUITE, "baselines": "baselines", "fail-on": "missing"})
    assert ran.jobs == {MEASURE: "failure", GATE: "failure"}
    assert "exit status 4" in ran.ends(MEASURE)
    assert [each for _, _, each in conclusions(github)] == ["failure"]
    said = github.ours(NUMBER)[0].splitlines()
    assert said[2] == f"## Energy: missing. `{UNPACK}` was not measured"
    *policy, level, baselines = [line for line in said if line.startswith(">")]
    assert policy == [
        "> [!IMPORTANT]",
        "> This change also changes how it is judged:",
        ">",
        "> - `policy: gate.budget: 5% \N{RIGHTWARDS ARROW} 50%`",
    ]
    assert level == "> [!WARNING]"
    assert baselines.startswith("> `baselines: this change deletes 3 stored runs (")
    assert baselines.endswith(f"), which count as in the base {widgets.sha('main')[:12]}`")


def test_a_measuring_step_that_is_killed_fails_the_job_and_publishes_nothing(gated, widgets, github):
    widgets.propose()
    ran = gated(run='kill -KILL "$PPID"')  # as the kernel does where memory runs out
    assert ran.jobs == {MEASURE: "failure", GATE: "failure"}
    assert ran.steps(MEASURE) == {"install": "success", "baselines": "success", "gate": "failure"}
    assert "signal: killed" in ran.ends(MEASURE)
    assert github.asked == []


def test_a_job_that_measured_nothing_is_5_and_says_so(gated, widgets, github):
    widgets.propose()
    ran = gated(run=f"{SUITE} --meters=rapl --sysfs=bench")
    assert ran.jobs == {MEASURE: "failure", GATE: "failure"}
    assert ran.outputs(MEASURE)["exit-code"] == "5"
    assert "exit status 5" in ran.ends(MEASURE)
    assert [each for _, _, each in conclusions(github)] == ["failure"]
    assert github.ours(NUMBER)[0].splitlines()[2] == "## Energy: nothing valid was measured: the job leaves with 5"


def test_a_token_that_may_only_read_costs_one_warning_and_the_verdict_stays(gated, widgets, github):
    github.token_kind = Token.READ_ONLY
    widgets.propose(compress=1.3)
    ran = gated(run=SUITE, against="none")
    assert ran.jobs == {MEASURE: "failure", GATE: "failure"}
    assert "exit status 1" in ran.ends(MEASURE)
    (error, (level, title, warning)) = ran.told(MEASURE)
    assert (error[0], level, title) == ("error", "warning", "energygate: not all is published")
    assert "checks: write" in warning
    assert "pull-requests: write" in warning
    assert ran.summary(MEASURE).splitlines()[0] == f"## Energy: regressed. `{COMPRESS}` uses 30.0 % more joules"
    assert "checks: write" in ran.summary(MEASURE)


def test_an_api_that_is_away_costs_one_warning_and_the_verdict_stays(gated, widgets, github):
    github.fail(faults.html(500), times=2)
    widgets.propose(compress=1.3)
    ran = gated(run=SUITE, against="none")
    assert ran.jobs == {MEASURE: "failure", GATE: "failure"}
    assert "exit status 1" in ran.ends(MEASURE)
    assert [told[:2] for told in ran.told(MEASURE)] == [
        ("error", f"regressed: {COMPRESS} +30.0 %"),
        ("warning", "energygate: not all is published"),
    ]


@pytest.mark.parametrize(
    ("event", "branch"), [("merge_group", "merged"), ("push", "topic"), ("workflow_dispatch", "topic")]
)
def test_what_is_not_merged_yet_is_gated_and_has_no_comment(act, widgets, github, workflow, event, branch):
    widgets.propose()
    widgets.git("update-ref", "refs/remotes/origin/main", "main")
    widgets.git("checkout", "--quiet", branch)
    group = {"merge_group": {"head_sha": widgets.sha("HEAD"), "base_sha": widgets.sha("main")}}
    gate = workflow("energy.yml", run=SUITE)
    gate["on"] = event
    gate["jobs"]["measure"].pop("if")
    ran = act(gate, event, widgets.event | group, github=github)
    head = widgets.sha("HEAD")
    assert ran.jobs == {MEASURE: "success", GATE: "success"}
    assert ran.printed(MEASURE)[0] == f"gate: commit {head[:12]}, base {widgets.sha('main')}"
    assert conclusions(github) == [("energygate", head, "success")]
    assert github.asked == ["POST /check-runs"]


@pytest.mark.parametrize("event", ["push", "schedule", "workflow_dispatch"])
def test_what_is_merged_is_recorded_in_the_branch_of_baselines_and_nothing_is_published(
    act, widgets, github, workflow, event, tmp_path
):
    before = widgets.recorded()
    payload = {"schedule": "17 4 * * 1"} if event == "schedule" else widgets.event
    ran = act(workflow("record.yml", run=SUITE), event, payload, github=github)
    assert (ran.jobs, ran.told()) == ({"record energy": "success"}, [])
    assert ran.printed()[0] == f"record: commit {widgets.sha('main')[:12]}, base none"
    (added,) = set(widgets.recorded()) - set(before)
    assert f"It is stored as `git:energy-baselines/{added}`." in ran.summary()
    assert github.asked == []
    assert leaks(tmp_path, github.token) == []


def test_an_action_on_a_pull_request_that_changes_no_code_measures_nothing(act, widgets, github, workflow):
    widgets.propose()
    gate = workflow("energy.yml", run="exit 77")
    gate["on"] = {"pull_request": {"types": ["closed"]}}
    ran = act(gate, "pull_request", widgets.pull_request("closed"), github=github)
    assert ran.jobs == {MEASURE: "success", GATE: "success"}
    assert ran.told() == [("notice", "energygate", "nothing to measure: pull_request was closed")]
    assert github.asked == []


def test_pull_request_target_is_refused_before_anything_is_run(act, widgets, github, workflow, tmp_path):
    widgets.propose()
    gate = workflow("energy.yml", run=f"touch {tmp_path / 'ran'}")
    gate["on"] = "pull_request_target"
    ran = act(gate, "pull_request_target", widgets.pull_request(), github=github)
    assert ran.jobs == {MEASURE: "failure", GATE: "failure"}
    assert "exit status 2" in ran.ends(MEASURE)
    assert not (tmp_path / "ran").exists()
    assert github.asked == []


def test_a_fork_is_measured_once_it_is_allowed_and_its_report_is_relayed(act, widgets, github, workflow, tmp_path):
    widgets.write("bench/conftest.py", LOOKS)
    widgets.propose(worker=1.3)
    head = widgets.sha("topic")
    github.pull(NUMBER, head_sha=head, base_sha=widgets.sha("main"), fork=True)

    ran = act(workflow("energy.yml"), "pull_request", widgets.pull_request(repository=FORK), github=github)
    assert ran.jobs == {GATE: "failure"}

    widgets.git("checkout", "--quiet", "main")
    fork = workflow("energy-fork.yml", against="none")
    ran = act(fork, "pull_request", widgets.pull_request("labeled", label="docs", repository=FORK), github=github)
    assert (ran.code, ran.jobs) == (0, {})

    allowed = widgets.pull_request("labeled", label="energy-ok", repository=FORK)
    ran = act(fork, "pull_request", allowed, github=github, env={"SEEN": tmp_path / "seen"})
    assert ran.jobs == {"measure energy of a fork": "failure"}
    assert "exit status 1" in ran.ends()
    assert ran.printed()[0] == f"gate: commit {head[:12]}, base none"
    headline = f"## Energy: regressed. `{WORKER}` uses 30.0 % more joules"
    assert ran.summary().splitlines()[0] == headline
    assert [told[:2] for told in ran.told()] == [("error", f"regressed: {WORKER} +30.0 %")]
    assert github.asked == []
    seen = (tmp_path / "seen").read_text()
    assert "ENERGYGATE_MODE=gate" in seen
    assert github.token not in seen + ran.text
    report = act.artifacts / "energygate-default/report.json"
    github.artifact(900, "energygate-default", zipped(**{"report.json": report.read_bytes()}), head_sha=head)
    relay = workflow("energy-comment.yml")
    ran = act(relay, "workflow_run", widgets.ended_run(900), github=github)
    assert (ran.jobs, ran.told()) == ({"comment on a fork's energy": "success"}, [])
    (body,) = github.ours(NUMBER)
    assert body.splitlines()[2] == headline
    assert "Measured by the pull request's own code on a run that a maintainer allowed" in body
    assert github.check_runs == []
    assert leaks(tmp_path, github.token) == []


def step_of(pid):
    """The process of the action's step that started this one."""
    while b"energygate\0action" not in Path(f"/proc/{pid}/cmdline").read_bytes():
        pid = stat_of(pid).parent
    return pid


IN_TURN = """\
case "$PWD" in */base|*/head) ;; *) exit 0;; esac
sleep 600 &
echo $$ $! > "$SEEN.part"
mv "$SEEN.part" "$SEEN"
wait
"""


def test_a_cancelled_job_leaves_no_process_and_no_worktree_and_publishes_nothing(
    act, widgets, github, workflow, tmp_path
):
    widgets.write("in_turn.sh", IN_TURN)
    widgets.change("compress.energy.yml", '"true"', "sh, in_turn.sh")
    widgets.change("energygate.yml", "confirm: {", "confirm: {which: all, ")
    widgets.commit()
    widgets.propose(compress=1.3)
    github.pull(NUMBER, head_sha=widgets.sha("topic"), base_sha=widgets.sha("main"))
    gate, seen = workflow("energy.yml", run=SUITE), tmp_path / "seen"
    with act.start(gate, "pull_request", widgets.pull_request(), github=github, env={"SEEN": seen}) as process:
        while not seen.exists():
            assert process.poll() is None
        workload, child = map(int, seen.read_text().split())
        os.kill(step_of(workload), signal.SIGINT)  # as GitHub's runner does; act itself would kill
        text, _ = process.communicate()
    ran = runner.Ran(process.returncode, text)
    assert ran.jobs == {MEASURE: "failure", GATE: "failure"}
    assert ran.steps(MEASURE) == {"install": "success", "baselines": "success", "gate": "failure"}
    assert "exit status 130" in ran.ends(MEASURE)
    assert "Traceback" not in text
    assert (stat_of(workload), stat_of(child)) == (None, None)
    assert left_behind(act, widgets) == []
    assert github.asked == []


PROJECT = """\
[project]
name = "widgets"
version = "1.0"
[project.optional-dependencies]
bench = []
[tool.setuptools]
py-modules = []
"""


@pytest.mark.timeout(600)
@pytest.mark.skipif(
    os.environ.get("ENERGYGATE_ACT_INSTALL") != "1",
    reason="`make act-install` runs this: it would have shown that the example installs energygate and the project",
)
def test_the_example_runs_as_it_is_written_and_installs_what_it_needs(act, widgets, github):
    act.bring_package()
    widgets.write("pyproject.toml", PROJECT)
    widgets.propose()
    github.pull(NUMBER, head_sha=widgets.sha("topic"), base_sha=widgets.sha("main"))
    ran = act(example("energy.yml"), "pull_request", widgets.pull_request(), github=github)
    assert ran.jobs == {MEASURE: "success", GATE: "success"}
    assert conclusions(github) == [("energygate", widgets.sha("topic"), "success")]
