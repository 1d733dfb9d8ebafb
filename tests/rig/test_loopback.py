import re
import socket
import subprocess
import sys

import pytest

ELSEWHERE = "192.0.2.1"
"""Nobody's: RFC 5737 keeps it for documentation."""


def test_no_test_reaches_another_machine():
    said = f'with host "{ELSEWHERE}" (allowed: "127.0.0.1,::1")'
    with socket.socket() as caller:
        caller.settimeout(1)
        with pytest.raises(UserWarning, match=re.escape(said)):
            caller.connect((ELSEWHERE, 80))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("git", "ls-remote", f"https://{ELSEWHERE}/acme/widgets"), "127.0.0.1 port 9"),
        ((sys.executable, "-c", f"import urllib.request as u; u.urlopen('http://{ELSEWHERE}', None, 1)"), "refused"),
    ],
    ids=["git", "python"],
)
def test_no_process_that_a_test_starts_reaches_another_machine(words, said):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert said in done.stderr
