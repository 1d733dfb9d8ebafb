import pytest
from fakes_git import Repository

from energygate.baseline.at_base import BaseCommit
from energygate.config import find_home, folders_upwards, load_settings
from energygate.policy_changes import policy_changes

ARROW = "\N{RIGHTWARDS ARROW}"


class Project:
    """A repository with a configuration at its base."""

    def __init__(self, folder):
        self.repository = Repository(folder)
        self.file = folder / "energygate.yml"

    def commit(self, text):
        if text is not None:
            self.file.write_text(f"version: 1\n{text}")
        self.base = BaseCommit(commit=self.repository.commit(), top=self.repository.folder)

    def changed(self, text):
        self.file.write_text(f"version: 1\n{text}")
        return policy_changes(self.file, [self.file], self.base)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


def test_each_change_of_what_decides_is_told_from_old_to_new_as_a_file_writes_it(project):
    project.commit(
        "gate: {budget: 5%, fail_on: [regressed, invalid]}\n"
        "limits: {a: {j_per_request: 12}, gone: {energy_j: 3}}\n"
        "overrides: {a: {budget: 7%}}\n"
        "anchors: [{name: v1, commit: 0123456789abcdef0123456789abcdef01234567, budget: 10%}]\n"
        "trials: {count: 10}\n"
        "suites: [{kind: command, name: build, command: [make], limits: {energy_j: 5}}]\n"
    )
    assert project.changed(
        "gate: {budget: 10%, fail_on: [invalid], screen: {p: 0.1}}\n"
        "limits: {a: {j_per_request: 13.5}}\n"
        "overrides: {a: {budget: 7%, min_effect: 1.5%, trials: 3}}\n"
        "anchors: [{name: v1, commit: 0123456789abcdef0123456789abcdef01234567, budget: 20%}]\n"
        "allow_estimates: true\n"
        "baselines: mine\n"
        "canary: x\n"
        "trials: {count: 20}\n"
        "suites: [{kind: command, name: build, command: [make], limits: {energy_j: 6}}]\n"
    ) == (
        f"policy: gate.budget: 5% {ARROW} 10%",
        f"policy: gate.fail_on: [regressed, invalid] {ARROW} [invalid]",
        f"policy: gate.screen.p: 0.2 {ARROW} 0.1",
        f"policy: limits.a.j_per_request: 12 {ARROW} 13.5",
        f"policy: limits.gone.energy_j: 3 {ARROW} not set",
        f"policy: anchors.v1.budget: 10% {ARROW} 20%",
        f"policy: allow_estimates: false {ARROW} true",
        f"policy: baselines: baselines {ARROW} mine",
        f"policy: suites.build.limits.energy_j: 5 {ARROW} 6",
        f"policy: overrides.a.min_effect: not set {ARROW} 1.5%",
        f"policy: overrides.a.trials: not set {ARROW} 3",
        f"policy: canary: not set {ARROW} x",
    )


def test_what_decides_nothing_is_no_change_of_the_policy(project):
    project.commit("trials: {count: 10}\n")
    assert project.changed("trials: {count: 20}\ngate: {budget: 5.0%}\nconfirm: {against: main}\n") == ()


def test_another_order_of_patterns_is_told_because_the_last_that_fits_decides(project):
    project.commit("overrides: {a: {budget: 7%}, b: {budget: 9%}}\n")
    assert project.changed("overrides: {b: {budget: 9%}, a: {budget: 7%}}\n") == (
        "policy: overrides: another order, and the last that fits decides",
    )


def test_a_file_that_is_new_or_gone_is_compared_with_the_defaults(project):
    project.commit(None)
    assert project.changed("gate: {budget: 6%}\n") == (f"policy: gate.budget: 5% {ARROW} 6%",)
    project.commit("gate: {budget: 6%}\n")
    project.file.unlink()
    assert policy_changes(None, [project.file], project.base) == (f"policy: gate.budget: 6% {ARROW} 5%",)


def test_names_that_a_change_brings_are_shown_on_one_line_and_many_changes_are_counted(project):
    project.commit("")
    (only,) = project.changed('limits: {"a\\n::error::b": {energy_j: 1}}\n')
    assert only == f"policy: limits.a ::error::b.energy_j: not set {ARROW} 1"
    many = "".join(f"  b{index}: {{energy_j: 1}}\n" for index in range(25))
    *shown, last = project.changed(f"limits:\n{many}")
    assert (len(shown), last) == (20, "policy: 5 more changes")


@pytest.mark.parametrize(("text", "fault"), [(b"gate: [", "not YAML"), (b"\xff", "not UTF-8"), (b"x: 1", "version")])
def test_a_base_that_cannot_be_read_is_a_remark(project, text, fault):
    project.repository.folder.joinpath("energygate.yml").write_bytes(text)
    project.commit(None)
    (remark,) = project.changed("gate: {budget: 6%}\n")
    assert remark.startswith(
        "policy: what this change alters of it is not known: energygate.yml of the base "
        f"{project.base.commit[:12]} is unfit: energygate.yml"
    )
    assert fault in remark


def test_a_file_outside_of_the_repository_is_altered_by_no_change_of_it(project, tmp_path):
    project.commit("")
    outside = tmp_path / "lab.yml"
    outside.write_text("version: 1\ngate: {budget: 9%}\n")
    assert policy_changes(outside, [outside], project.base) == ()


STRICT = "version: 1\ngate: {budget: 3%}\n"


@pytest.fixture
def nested(tmp_path):
    """A repository, and the settings of a job that runs in a folder of it."""
    repository = Repository(tmp_path / "project")
    (here := repository.folder / "services" / "api").mkdir(parents=True)

    def changes(before, after):
        for name, text in before.items():
            repository.write(name, text)
        base = BaseCommit(commit=repository.commit(), top=repository.folder)
        for name in before.keys() - after.keys():
            (repository.folder / name).unlink()
        for name, text in after.items():
            repository.write(name, text)
        settings = load_settings(
            {}, prefix="--", environ={}, folder=find_home(here), here=here, searched=folders_upwards(here)
        )
        return policy_changes(settings.config, settings.looked_for, base)

    return changes


@pytest.mark.parametrize(("text", "budget"), [("version: 1\n", "5%"), ("version: 1\ngate: {budget: 50%}\n", "50%")])
def test_a_nearer_file_that_a_change_adds_is_compared_with_the_one_that_decided_before(nested, text, budget):
    before = {"energygate.yml": STRICT}
    assert nested(before, before | {"services/api/energygate.yml": text}) == (
        "policy: services/api/energygate.yml decides, in place of energygate.yml",
        f"policy: gate.budget: 3% {ARROW} {budget}",
    )


def test_a_nearer_file_that_a_change_deletes_is_compared_with_the_one_that_decides_then(nested):
    after = {"energygate.yml": "version: 1\n"}
    assert nested(after | {"services/energygate.yml": STRICT}, after) == (
        "policy: energygate.yml decides, in place of services/energygate.yml",
        f"policy: gate.budget: 3% {ARROW} 5%",
    )


def test_a_farther_file_that_does_not_decide_is_of_no_concern(nested):
    near = {"services/api/energygate.yml": STRICT}
    assert nested(near, near | {"energygate.yml": "version: 1\n"}) == ()
