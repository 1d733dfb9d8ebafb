from pathlib import Path

import pytest
from fakes import FINGERPRINT, NAME, a_benchmark, a_run, an_acceptance

from energygate.baseline.branch import BranchStore
from energygate.baseline.objects import open_objects
from energygate.baseline.store import FolderStore
from energygate.baseline.which import beside_the_store, store_name
from energygate.model import Baseline, StoreName

BRANCH = StoreName(name="git:energy-baselines", is_shared=True)
ACCEPTING = a_run(a_benchmark(), day=4, accepts=(an_acceptance(),))


@pytest.mark.parametrize(
    ("way", "name"), [("baselines", "baselines"), ("perf/runs", "perf/runs"), ("../elsewhere", None)]
)
def test_a_folder_is_called_by_its_way_from_the_settings_file_and_no_branch_shares_it(tmp_path, way, name):
    folder = tmp_path / "project"
    found = store_name(FolderStore(folder / way), folder)
    assert found == StoreName(name=name or str(tmp_path / "elsewhere"))


def test_a_branch_and_a_url_are_shared_by_all_branches_and_called_without_a_login(tmp_path):
    branch = BranchStore(branch="energy-baselines", near=tmp_path)
    assert store_name(branch, tmp_path) == BRANCH
    url = open_objects("s3://key:secret@bucket/folder/")
    assert store_name(url, tmp_path) == StoreName(name="s3://***@bucket/folder", is_shared=True)


def said(folder: Path, baseline=Baseline(), name=BRANCH):  # noqa: B008  a frozen value
    return tuple(beside_the_store(baseline, name, folder, FINGERPRINT))


def test_a_store_that_is_not_there_is_named_and_the_usual_folder_need_not_be_there_yet(tmp_path):
    absent = Baseline(absent="origin has no such branch")
    assert said(tmp_path, absent) == (
        (
            "baselines: git:energy-baselines: origin has no such branch, so there is nothing to compare with. If the "
            "name is right, the first recorded run makes it."
        ),
    )
    assert said(tmp_path, Baseline(absent="there is no such folder"), StoreName(name="baselines")) == ()


def test_an_acceptance_in_the_folder_that_is_not_the_store_is_told_with_what_puts_it_there(tmp_path):
    path = FolderStore(tmp_path / "baselines").add(ACCEPTING).relative_to(tmp_path)
    assert said(tmp_path) == (
        (
            f"{path} accepts a new level of {NAME} by alice on 2026-11-01: a better model. That decides nothing, since "
            f"baselines are read from git:energy-baselines: `energygate baseline record {path} "
            "--baselines=git:energy-baselines` puts it there."
        ),
    )
    assert said(tmp_path, Baseline(runs=(ACCEPTING,))) == ()
    assert said(tmp_path, name=StoreName(name="baselines")) == ()


def test_many_such_acceptances_are_counted_and_runs_that_accept_nothing_are_no_matter(tmp_path):
    folder = FolderStore(tmp_path / "baselines")
    folder.add(a_run(a_benchmark(), day=3))
    assert said(tmp_path) == ()
    folder.add(a_run(a_benchmark(), day=4, accepts=tuple(an_acceptance(benchmark=f"b{n}") for n in range(5))))
    *named, last = said(tmp_path)
    assert (len(named), last) == (3, "2 more acceptances in the folder baselines decide nothing")


def test_what_cannot_be_read_there_is_told_and_ends_nothing(tmp_path):
    path = FolderStore(tmp_path / "baselines").add(ACCEPTING)
    path.write_text("{")
    (found,) = said(tmp_path)
    assert found.startswith(
        f"baselines are read from git:energy-baselines; what lies in the folder baselines is unfit: {path}: "
    )
