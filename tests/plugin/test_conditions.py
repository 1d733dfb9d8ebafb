"""What else the machine does while a trial runs."""

QUICK = ("--energy-warmup=0", "--energy-min-time=0.1", "--energy-mode=measure", "--energy-save=run.json")


def test_conditions_of_the_processors_are_kept_with_each_trial(project, live_powercap):
    tree = live_powercap("one")
    project.one_test("energy(sum, range(1000))")
    arguments = ("--energy", "--energy-meters=rapl", f"--energy-sysfs={tree.root}", "--energy-trials=2", *QUICK)
    project.run(*arguments).assert_outcomes(passed=1)
    trials = project.json("run.json")["benchmarks"][0]["trials"]
    assert [trial["conditions"]["cpu"]["power_limits_w"] for trial in trials] == [[125, 125]] * 2
    for trial in trials:
        assert 0 <= trial["conditions"]["cpu"]["foreign"] <= 1


def test_a_power_limit_that_is_changed_on_the_way_makes_the_trials_since_invalid(project, live_powercap):
    tree = live_powercap("one")
    limit = tree.root / "devices/virtual/powercap/intel-rapl/intel-rapl:0/constraint_0_power_limit_uw"
    project.one_test(
        "import pathlib, time\n"
        "for n, trial in enumerate(energy.trials()):\n"
        "    with trial:\n"
        "        time.sleep(0.12)\n"
        "        if n == 1:\n"
        f"            pathlib.Path('{limit}').write_text('95000000')"
    )
    arguments = ("--energy", "--energy-meters=rapl", f"--energy-sysfs={tree.root}", "--energy-trials=3", *QUICK)
    project.run(*arguments)
    first, *others = project.json("run.json")["benchmarks"][0]["trials"]
    assert first["invalid"] is None
    since = (
        "governor_changed: the processors are set otherwise than when the session began (power_limits_w: 125, 125 "
        "\N{RIGHTWARDS ARROW} 95, 125). Keep what changes it (power-profiles-daemon, tuned, a laptop's charger) from "
        "doing so."
    )
    assert [trial["invalid"] for trial in others] == [since] * 2


def test_recorded_windows_have_no_conditions(project):
    project.energy("--energy-save=run.json").assert_outcomes(passed=2)
    for benchmark in project.json("run.json")["benchmarks"]:
        assert [trial["conditions"] for trial in benchmark["trials"]] == [{}] * 6
