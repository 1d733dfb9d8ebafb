"""`--collect-only` beside `--energy`."""

SUITE = "version: 1\nsuites: [{name: a, kind: command, command: [no-such-program]}]\n"


def test_collecting_measures_nothing_and_opens_no_meter(project):
    result = project.run("--collect-only", "--energy", "--energy-meters=replay:absent.jsonl", "--energy-save=run.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*= 2 tests collected in *"])
    result.stdout.no_fnmatch_line("*energy: *")
    assert not (project.path / "run.json").exists()


def test_collecting_shows_the_suites_that_would_be_measured(project):
    project.write("a.energy.yml", SUITE)
    result = project.energy("--collect-only", "-q")
    assert result.outlines[:3] == ["a.energy.yml::a", "test_bench.py::test_encode", "test_bench.py::test_decode"]


def test_collecting_with_energy_only_shows_what_would_be_left(project):
    project.write("test_other.py", "def test_other():\n    pass\n")
    result = project.energy("--collect-only", "-q", "--energy-only")
    assert result.outlines[:2] == ["test_bench.py::test_encode", "test_bench.py::test_decode"]
    result.assert_outcomes(deselected=1)
