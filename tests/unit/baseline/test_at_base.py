import datetime as dt

import pytest
from fakes import FINGERPRINT, NAME, a_benchmark, a_machine, a_run, an_acceptance
from fakes_git import Repository
from msgspec import structs

from energygate.baseline.at_base import AtBase, BaseCommit, load_at
from energygate.baseline.objects import open_objects
from energygate.baseline.schema import encode_run
from energygate.baseline.store import FolderStore
from energygate.history.timeline import WindowRules
from energygate.model import Baseline

OTHER = "ffffffffffff"
ARROW = "\N{RIGHTWARDS ARROW}"
RULES = WindowRules(on=dt.date(2026, 11, 10))


def session(day, **more):
    return a_run(a_benchmark(), day=day, **more)


class Project:
    """A repository with two merged sessions, and a change that is not committed or that is."""

    def __init__(self, folder):
        self.repository = Repository(folder / "project")
        self.store = FolderStore(self.repository.folder / "baselines")
        self.merged = (session(2), session(1))
        self.paths = [self.store.add(run) for run in self.merged]
        self.base = BaseCommit(commit=self.repository.commit(), top=self.repository.folder)

    @property
    def at(self):
        return self.base.commit[:12]

    def load(self, store=None):
        return load_at(store or self.store, FINGERPRINT, self.base, RULES)

    def name(self, run):
        return f"{run.machine.fingerprint}/{run.started_at:%Y%m%dT%H%M%SZ}-{run.source.commit[:12]}-{run.run_id}.json"


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def ids(*runs):
    return frozenset(run.run_id for run in runs)


def test_a_change_that_leaves_the_baselines_alone_is_nothing_to_speak_of(project):
    project.repository.commit(product_py="x = 1")
    assert project.load() == AtBase(baseline=Baseline(runs=project.merged, at_base=ids(*project.merged)))


@pytest.mark.parametrize("is_committed", [True, False])
def test_what_a_change_alters_is_read_as_the_base_has_it(project, is_committed):
    dearer = structs.replace(project.merged[0], notes=("edited",))
    project.paths[0].write_bytes(encode_run(dearer))
    project.paths[1].write_text("{")
    if is_committed:
        project.repository.commit()
    found = project.load()
    assert found.baseline == Baseline(runs=project.merged, at_base=ids(*project.merged))
    names = ", ".join(sorted(project.name(run) for run in project.merged))
    assert found.warnings == (
        f"baselines: this change alters 2 stored runs ({names}), which count as in the base {project.at}",
    )


def test_what_a_change_deletes_still_counts(project):
    project.paths[1].unlink()
    project.repository.commit()
    found = project.load()
    assert found.baseline == Baseline(runs=project.merged, at_base=ids(*project.merged))
    (said,) = found.warnings
    assert said == (
        f"baselines: this change deletes 1 stored run ({project.name(session(1))}), which counts as in the base "
        f"{project.at}"
    )


@pytest.mark.parametrize("way", ["deleted", "a link", "a link to elsewhere"])
def test_nothing_in_the_place_of_the_folder_makes_its_runs_go_away(project, tmp_path, way):
    elsewhere = project.repository.folder / "mine" if way == "a link" else tmp_path / "mine"
    FolderStore(elsewhere).add(session(5))
    for path in project.paths:
        path.unlink()
    project.paths[0].parent.rmdir()
    project.store.root.rmdir()
    if way != "deleted":
        project.store.root.symlink_to(elsewhere)
    project.repository.commit()
    found = project.load()
    assert found.baseline.at_base == ids(*project.merged)
    assert [run for run in found.baseline.runs if run.run_id in found.baseline.at_base] == list(project.merged)
    assert found.warnings[0].startswith("baselines: this change deletes 2 stored runs (")


def test_what_a_change_adds_is_there_and_not_of_the_base_and_who_accepts_is_named(project):
    accepting = session(4, accepts=(an_acceptance(),))
    for run in (session(3), accepting):
        project.store.add(run)
    found = project.load()
    assert found.baseline == Baseline(runs=(accepting, session(3), *project.merged), at_base=ids(*project.merged))
    assert found.warnings == (
        (
            f"baselines: this change accepts a new level of {NAME}, 100 J {ARROW} 100 J (0.0 %), by alice on "
            "2026-11-01: a better model"
        ),
    )


def test_many_acceptances_are_counted(project):
    project.store.add(session(4, accepts=tuple(an_acceptance(benchmark=f"b{index}") for index in range(12))))
    *named, last = project.load().warnings
    assert (len(named), last) == (10, "baselines: this change accepts 2 more new levels")


def test_a_file_that_poses_as_a_run_of_the_base_does_not_count(project):
    posing = structs.replace(session(2, notes=("mine",)), started_at=session(9).started_at)
    project.store.add(posing)
    found = project.load()
    assert found.baseline == Baseline(runs=project.merged, at_base=ids(*project.merged))
    (said,) = found.warnings
    assert said == (
        f"baselines: this change adds 1 stored run ({project.name(posing)}) under the id of a run of the base: "
        "not counted"
    )


def test_runs_that_git_ignores_come_from_elsewhere_and_not_from_the_change(project):
    project.repository.write(".gitignore", f"/baselines/{FINGERPRINT}/20261105*\n")
    project.store.add(session(5))
    assert project.load() == AtBase(
        baseline=Baseline(runs=(session(5), *project.merged), at_base=ids(session(5), *project.merged))
    )


def test_a_base_without_baselines_has_none_and_all_of_them_are_of_the_change(project):
    fresh = project.repository
    empty = fresh.git("commit-tree", "-m", "nothing", "4b825dc642cb6eb9a060e54bf8d69288fbee4904").strip()
    found = load_at(project.store, FINGERPRINT, BaseCommit(commit=empty, top=fresh.folder), RULES)
    assert found == AtBase(baseline=Baseline(runs=project.merged, at_base=frozenset()))


def test_runs_of_other_machines_are_known_as_the_base_knows_them(project):
    there = session(1, machine=a_machine(fingerprint=OTHER))
    path = project.store.add(there)
    project.base = BaseCommit(commit=project.repository.commit(), top=project.repository.folder)
    path.unlink()
    assert project.load().baseline.others == (there,)


def test_baselines_at_the_top_of_the_repository_are_read_so_too(tmp_path):
    repository = Repository(tmp_path / "runs")
    store = FolderStore(repository.folder)
    path = store.add(session(1))
    base = BaseCommit(commit=repository.commit(), top=repository.folder)
    path.unlink()
    assert load_at(store, FINGERPRINT, base, RULES).baseline == Baseline(runs=(session(1),), at_base=ids(session(1)))


def test_baselines_that_no_change_of_this_repository_alters_are_read_as_they_are(project, tmp_path):
    outside = FolderStore(tmp_path / "elsewhere")
    objects = open_objects(f"memory://{tmp_path.name}/at-base")
    for store in (outside, objects):
        store.add(session(7))
        assert project.load(store) == AtBase(baseline=Baseline(runs=(session(7),)))
    assert project.load(FolderStore(tmp_path / "absent")) == AtBase(baseline=Baseline(absent="there is no such folder"))
    foreign = Repository(project.repository.folder / "own")
    found = project.load(FolderStore(foreign.folder))
    assert found.baseline.at_base is None
    assert "belongs to another repository" in found.warnings[0]
