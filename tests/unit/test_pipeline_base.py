"""A job that knows the commit that the change under test is a change of."""

import datetime as dt

import pytest
from fakes_git import Repository
from msgspec import structs

from energygate.baseline.at_base import BaseCommit
from energygate.baseline.store import open_store
from energygate.config import load_settings
from energygate.config_keys import MarkerKeys
from energygate.errors import BaselineError
from energygate.model import Acceptance, BaselineRuns, Outcome, StoreName
from energygate.pipeline import Confirmed, Surroundings, open_job
from energygate.report.markdown.document import render_markdown
from energygate.report.rows import headline

ARROW = "\N{RIGHTWARDS ARROW}"
NAME = "bench.py::test_it"


class Nothing:
    """A base that is never measured."""

    def __init__(self, base):
        self.commit, self.top, self.shown = base.commit, base.top, "main"

    def __call__(self, names, policy):
        return Confirmed(alone=dict.fromkeys(names, "the base does not have it"))


class Project:
    """A repository whose machine plays windows of so many joules, with three recorded sessions."""

    def __init__(self, folder):
        self.jobs, self.options = 0, {}
        self.repository = Repository(folder)
        self.repository.commit(energygate_yml="version: 1\n")
        for _ in range(3):
            self.job(100.0, "record")
        self.base = BaseCommit(commit=self.repository.commit(), top=folder)

    def job(self, energy_j, mode="gate", names=(NAME,), base=None):
        windows = self.repository.folder.parent / "windows.jsonl"
        steady = [energy_j * factor for factor in (1.0, 1.002, 0.998, 1.001, 0.999)] * len(names)
        windows.write_text("".join(f'{{"energy_j": {{"package-0": {each}}}, "duration_s": 1}}\n' for each in steady))
        options = {"mode": mode, "meters": f"replay:{windows}", "trials": "5", "warmup": "0", **self.options}
        folder = self.repository.folder
        settings = load_settings(options, prefix="--", environ={}, folder=folder, here=folder)
        with open_job(settings, Surroundings(now=self.next_minute()), base=base) as job:
            if base is not None:
                job.confirm_with(Nothing(base))
            for name in names:
                energy = job.energy(name, MarkerKeys(), location=None)
                energy(int)
                energy.finish()
            return job.finish(in_scope=lambda _: True)

    def next_minute(self):
        """Give the clock of the next job: a minute later than the last one's, for runs are told apart by their time."""
        self.jobs += 1
        now = dt.datetime(2026, 11, 1, 3, self.jobs, tzinfo=dt.UTC)
        return lambda: now

    def gate(self, energy_j, names=(NAME,)):
        return self.job(energy_j, names=names, base=self.base).report

    @property
    def store(self):
        return open_store("baselines", folder=self.repository.folder)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


def test_a_change_that_edits_the_baselines_is_judged_by_the_old_ones_and_that_is_said(project):
    for stored in project.store.everything():
        stored.path.write_text(stored.path.read_text().replace('"package-0": 100.0', '"package-0": 120.0'))
    project.repository.commit()
    report = project.gate(120.0)
    assert [row.outcome for row in report.comparisons] == [Outcome.REGRESSED]
    (said,) = report.warnings
    assert said.startswith("baselines: this change alters 3 stored runs (")
    assert said.endswith(f", which count as in the base {project.base.commit[:12]}")


def test_a_change_that_spoils_a_baseline_is_judged_by_the_old_one(project):
    project.store.everything()[0].path.write_text("{")
    assert project.gate(100.0).comparisons[0].sessions == 3
    with pytest.raises(BaselineError):
        project.job(100.0)


def test_a_change_that_loosens_the_policy_is_told_before_anything_else(project):
    project.repository.commit(energygate_yml="version: 1\ngate: {budget: 30%}\nlimits: {nothing: {energy_j: 1}}\n")
    project.store.everything()[0].path.unlink()
    report = project.gate(120.0)
    assert [row.outcome for row in report.comparisons] == [Outcome.PASS]
    assert report.warnings[:2] == (
        f"policy: gate.budget: 5% {ARROW} 30%",
        f"policy: limits.nothing.energy_j: not set {ARROW} 1",
    )
    assert report.warnings[2].startswith("baselines: this change deletes 1 stored run (")


def test_a_run_that_a_change_adds_hides_no_benchmark_that_it_removed(project):
    project.job(100.0, "record", names=("other",))
    assert {row.outcome for row in project.gate(100.0, names=("other",)).comparisons} == {
        Outcome.NO_BASELINE,
        Outcome.MISSING,
    }


def test_an_acceptance_that_a_change_adds_is_honoured_and_named(project):
    run = project.job(120.0, "measure").run
    said = Acceptance(benchmark=NAME, by="alice", reason="a better model", at=run.started_at)
    project.store.add(structs.replace(run, accepts=(said,)))
    report = project.gate(120.0)
    (row,) = report.comparisons
    assert (row.outcome, row.reason) == (
        Outcome.INCONCLUSIVE,
        (
            "increase of 20.0 % accepted here by alice; 0.0 % against the run that shows it. Compare after the "
            "merge, with the sessions that are recorded then."
        ),
    )
    assert report.warnings[0] == (
        f"baselines: this change accepts a new level of {NAME}, 100 J {ARROW} 120 J (+20.0 %), by alice on "
        f"{said.at:%Y-%m-%d}: a better model"
    )
    assert (report.baseline.runs, [round(each) for each in row.history]) == ((run.run_id,), [100, 100, 100, 120])
    assert headline(report) == f"increase of 20.0 % accepted here by alice: {NAME}"


def test_what_a_change_does_not_accept_is_compared_with_all_that_is_stored_beside_what_it_does(project):
    for _ in range(3):
        project.job(100.0, "record", names=("other",))
    project.base = BaseCommit(commit=project.repository.commit(), top=project.repository.folder)
    run = project.job(120.0, "measure").run
    said = Acceptance(benchmark=NAME, by="alice", reason="a better model", at=run.started_at)
    project.store.add(structs.replace(run, accepts=(said,)))
    comment = render_markdown(project.gate(120.0, names=(NAME, "other")))
    assert "; what is accepted, with one of them alone." in comment
    assert " against 4 stored runs of " in comment


def test_a_store_that_is_not_there_is_named_and_so_is_one_that_an_option_chose_over_the_settings(project):
    project.options = {"baselines": f"memory://{project.repository.folder}/nothing-yet"}
    name = project.options["baselines"]
    report = project.gate(100.0)
    assert report.baseline == BaselineRuns(store=StoreName(name=name, is_given=True, is_shared=True))
    assert [row.reason for row in report.comparisons] == [
        f"no stored run in {name} has it yet. Record one on the main branch."
    ]
    assert report.warnings == (
        (
            f"baselines: {name}: nothing is stored there, so there is nothing to compare with. If the name is "
            "right, the first recorded run makes it."
        ),
    )
    assert report.notes == (
        (
            "nothing is stored to suspect anything by (confirm.which: unresolved measures it all the same), so main "
            "was not measured"
        ),
    )
    comment = render_markdown(report)
    assert "## Energy: nothing could be judged: no baseline yet\n" in comment
    assert f" against no stored session of `{name}`." in comment


def test_what_the_settings_file_names_is_not_repeated_in_commands(project):
    project.repository.commit(energygate_yml="version: 1\nbaselines: runs\n")
    assert project.job(100.0).report.baseline.store == StoreName(name="runs")
    project.options = {"baselines": "baselines"}
    assert project.job(100.0).report.baseline.store == StoreName(name="baselines", is_given=True)


def test_an_acceptance_in_a_store_that_all_branches_share_judges_nobody_before_it_is_merged(project):
    project.options = {"baselines": f"memory://{project.repository.folder}/shared"}
    store = open_store(project.options["baselines"], folder=project.repository.folder)
    for _ in range(3):
        project.job(100.0, "record")
    run = project.job(130.0, "measure").run
    said = Acceptance(benchmark=NAME, by="alice", reason="a better model", at=run.started_at)
    store.add(structs.replace(run, accepts=(said,)))
    for energy_j in (125.0, 130.0):
        report = project.gate(energy_j)
        assert [row.outcome for row in report.comparisons] == [Outcome.INCONCLUSIVE]
        assert report.warnings[0].startswith(f"{NAME}: ACCEPTED BEFORE THE MERGE: 100 J {ARROW} 130 J (+30.0 %) at ")
    project.job(130.0, "record")
    report = project.gate(130.0)
    assert ([row.outcome for row in report.comparisons], report.warnings) == ([Outcome.PASS], ())
