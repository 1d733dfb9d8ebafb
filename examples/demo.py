"""The main job from beginning to end: a real LLM measured, gated, and a planted regression caught.

Run by `make demo`. It works in build/demo, a small git repository of its own made from examples/llm_suite.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEMO = HERE.parent / "build" / "demo"
SUITE = "chat.energy.yml"
TRIALS = "6"
SESSIONS = 3
QUIET_GIT = {
    "GIT_AUTHOR_NAME": "demo",
    "GIT_AUTHOR_EMAIL": "demo@localhost",
    "GIT_COMMITTER_NAME": "demo",
    "GIT_COMMITTER_EMAIL": "demo@localhost",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def main() -> int:
    """Walk through the five steps; 0 if each ended as it should."""
    say("What can be measured here")
    measurable = energygate("doctor") == 0
    how = [] if measurable else ["--allow-estimates"]
    if not measurable:
        print("\nSo this demo ESTIMATES joules from CPU seconds, and lets estimates decide: --allow-estimates.")
    prepare()

    say(f"Record {SESSIONS} baseline sessions of the suite on main")
    for _ in range(SESSIONS):
        if energygate("run", SUITE, "--mode", "record", "--trials", TRIALS, *how) != 0:
            return failed("a baseline session could not be recorded; the reason stands above")

    say("Gate a pull request that changes no behaviour")
    commit("docs", "A comment in the README", "README.md", "\nNothing of this is measured.\n")
    unchanged = energygate("run", SUITE, "--trials", TRIALS, "--report", "json:unchanged.json", *how)

    say("Gate a pull request whose system prompt makes the model ramble")
    commit("ramble", "Explain more in every answer", "system.txt", (DEMO / "system-rambling.txt").read_text())
    reports = ["--report", "json:report.json", "--report", "markdown:comment.md"]
    rambling = energygate("run", SUITE, "--trials", TRIALS, *reports, *how)

    say("The comment that the pull request would get")
    print((DEMO / "comment.md").read_text())
    return conclude(unchanged, rambling)


def prepare() -> None:
    """Make a repository of the example, with one commit on main."""
    shutil.rmtree(DEMO, ignore_errors=True)
    shutil.copytree(HERE / "llm_suite", DEMO, ignore=shutil.ignore_patterns("__pycache__", "baselines"))
    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "--message", "An LLM suite with its energy gate")


def commit(branch: str, message: str, file: str, text: str) -> None:
    """Make a branch off main with one changed file."""
    git("checkout", "--quiet", "-b", branch, "main")
    (DEMO / file).write_text(text)
    git("commit", "--quiet", "--all", "--message", message)
    print(f"branch {branch}: {message}")


def conclude(unchanged: int, rambling: int) -> int:
    """Say what happened, and whether it is what should have."""
    say("In short")
    row = next(
        each
        for each in json.loads((DEMO / "report.json").read_text())["comparisons"]
        if each["metric"] == "j_per_request"
    )
    print(f"unchanged candidate: exit code {unchanged}")
    print(f"rambling candidate:  exit code {rambling}, J/request x{row['ratio']:.2f}: {row['outcome']}")
    print(f"report:              {DEMO / 'report.json'}")
    print(f"comment:             {DEMO / 'comment.md'}")
    if unchanged != 0:
        return failed("the unchanged candidate should have passed, or been inconclusive")
    if rambling != 1:
        return failed("the rambling candidate should have been called regressed, with exit code 1")
    print("\nThe gate let the harmless change through and stopped the costly one.")
    return 0


def energygate(*arguments: str) -> int:
    """Run the command line as a user would, and give its exit code."""
    print(f"\n$ energygate {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-P", "-m", "energygate", *arguments]
    return subprocess.run(command, cwd=DEMO if DEMO.exists() else HERE, check=False).returncode


def git(*arguments: str) -> None:
    """Run git in the demo's repository, untouched by the user's own settings."""
    command = ["git", "-c", f"core.hooksPath={os.devnull}", *arguments]
    subprocess.run(command, cwd=DEMO, env={**os.environ, **QUIET_GIT}, check=True)


def say(title: str) -> None:
    """Print a step's title."""
    print(f"\n=== {title} ".ljust(100, "="), flush=True)


def failed(reason: str) -> int:
    """Print why the demo failed."""
    print(f"\nDEMO FAILED: {reason}.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
