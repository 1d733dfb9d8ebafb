"""What each command is typed for: shown in its help, and parsed by the tests. Each is one command."""

from collections.abc import Mapping
from typing import Final

EXAMPLES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "": (
        ("energygate init", "Write first settings, a first benchmark and the workflows."),
        ("python -m pytest --energy benchmarks", "Measure tests that use the `energy` fixture, and judge them."),
        ("energygate ab --base main -- python bench.py", "Compare the working tree with main, without any baseline."),
    ),
    "init": (
        ("energygate init", "Look at this repository and machine, and write what is missing."),
        ("energygate init --dry-run", "Only say what would be written."),
        ("energygate init --sysfs /host/sys", "The same in a container that has the host's sysfs there."),
    ),
    "doctor": (
        ("energygate doctor", "What can be measured here, and the command that mends what cannot."),
        ("energygate doctor --json", "The same for a program."),
        ("energygate doctor --calibrate", "Fit the estimate to RAPL; about a minute in which nothing else should run."),
    ),
    "run": (
        ("energygate run", "Measure and judge the suites of energygate.yml."),
        ("energygate run chat.energy.yml --report html:report.html", "One suite, with a report to look at."),
        ("energygate run --mode record", "Add a session to the baselines: three are the fewest that say anything."),
        ("energygate run --against main", "What looks worse is measured again, in turn with main."),
    ),
    "ab": (
        ("energygate ab --base main -- python bench.py", "The program itself is the benchmark."),
        (
            "energygate ab --base HEAD -- python -m pytest --energy benchmarks",
            "Uncommitted changes, by each test's own benchmark.",
        ),
        ("energygate ab --base HEAD~1 --budget 3% -- ./bench --frames 500", "Words after -- are the command's own."),
    ),
    "compare": (
        ("energygate compare base1.json base2.json base3.json head.json", "Three sessions, and the run to judge."),
        (
            "energygate compare run.base.json run.json",
            "The two runs of `energygate ab --save run.json`, block by block.",
        ),
        ("energygate compare base.json head.json --budget 10% --json", "With another budget, for a program."),
    ),
    "report": (
        ("energygate report report.json", "Show on the terminal what --report json:report.json has kept."),
        ("energygate report report.json --report html:report.html", "Make a page of it."),
        ("energygate report report.json --report junit:junit.xml --report csv:energy.csv", "Several at once."),
    ),
    "baseline": (
        ("energygate baseline list", "What is stored."),
        ("energygate baseline record run.json", "Store what `energygate run --save run.json` wrote."),
    ),
    "baseline list": (
        ("energygate baseline list", "The runs in the folder of energygate.yml."),
        ("energygate baseline list --baselines git:energy-baselines", "Those in a branch."),
        ("energygate baseline list --json", "Their ids, files and commits, for a program."),
    ),
    "baseline show": (
        ("energygate baseline show 20261122T031500Z", "The run whose id begins like that."),
        ("energygate baseline show 20261122T031500Z --json", "Its file."),
    ),
    "baseline record": (
        ("energygate baseline record run.json", "Store a run as a session to compare with."),
        ("energygate baseline record run.json --baselines git:energy-baselines", "In a branch."),
    ),
    "baseline accept": (
        ('energygate baseline accept chat.energy.yml::chat --reason "a better model"', "The increase that waits."),
        (
            'energygate baseline accept test_a.py::test_b --run run.json --reason "exact"',
            "The level of the run that the failing gate saved.",
        ),
        (
            'energygate baseline accept a.py::test_b --until 2030-01-31 --reason "a trial"',
            "For some time only.",
        ),
    ),
    "baseline prune": (
        ("energygate baseline prune", "List what nothing needs any more."),
        ("energygate baseline prune --keep 20 --older-than 90 --yes", "Remove it, where it is older than 90 days."),
    ),
    "baseline fetch": (
        ("energygate baseline fetch", "As a step of the GitHub action; its environment says the rest."),
    ),
    "history": (
        ("energygate history", "Every benchmark: levels, changes, who accepted what."),
        ("energygate history chat.energy.yml::chat", "One of them."),
        ("energygate history --json", "For a program."),
    ),
    "plan": (
        ("energygate plan", "What today's settings can find, from the stored noise."),
        ("energygate plan --detect 3%", "Blocks and sessions that find an increase of 3 %."),
        (
            "energygate plan chat.energy.yml::chat --detect 2% --queued 4",
            "With four benchmarks measured again at once.",
        ),
    ),
    "aa": (
        ("energygate aa", "How often the test alarms, over the stored runs."),
        ("energygate aa --blocks run.base.json run.json", "Over one commit interleaved with itself."),
    ),
    "schema": (
        ("energygate schema config", "The schema of energygate.yml, for an editor."),
        ("energygate schema report", "That of the report file."),
    ),
    "export": (("energygate export otlp report.json", "Every trial to an OpenTelemetry collector."),),
    "export otlp": (
        ("energygate export otlp report.json", "To a collector on this machine."),
        ("energygate export otlp report.json --endpoint http://127.0.0.1:4318", "To the one at this address."),
    ),
    "action": (("energygate action", "As a step of the GitHub action; its environment says the rest."),),
    "comment": (
        ("energygate comment report.json", "As a step of the GitHub action; its environment says the rest."),
        ("energygate comment", "On workflow_run: what the run of a fork left."),
    ),
}
