"""What docs/baselines.md tells a record job to do, done by two of them at once."""

import re
import subprocess

from fakes import a_benchmark, a_run
from fakes_git import ROOT
from fakes_stores import Remote

from energygate.baseline.store import FolderStore

ENERGYGATE = "energygate run --mode record"


def recipe():
    """The commands after the one that measures."""
    text = (ROOT / "docs" / "baselines.md").read_text()
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    first, _, rest = block.partition("\n")
    assert first.startswith(ENERGYGATE)
    return rest


def test_two_jobs_that_commit_their_runs_to_main_at_once_lose_nothing(tmp_path):
    remote = Remote(tmp_path)
    clones = [remote.clone(), remote.clone()]
    for day, clone in enumerate(clones, start=1):
        FolderStore(clone.folder / "baselines").add(a_run(a_benchmark(), day=day))
    jobs = [subprocess.Popen(["bash", "-euc", recipe()], cwd=clone.folder, env=clone.environ) for clone in clones]
    assert [job.wait() for job in jobs] == [0, 0]
    names = remote.git("ls-tree", "-r", "--name-only", "main", "baselines").split()
    assert len(names) == 2
