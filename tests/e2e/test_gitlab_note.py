"""docs/gitlab.md, done: the pipeline satisfies GitLab's schema, and the script keeps one note of a merge request."""

import json
import os
import re
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from fakes_git import ROOT
from shown_markdown import WHOLE

from energygate.report.gitlab import render_gitlab

TEXT = (ROOT / "docs" / "gitlab.md").read_text(encoding="utf-8")
NOTES = "/api/v4/projects/7/merge_requests/3/notes"
ME = 42
TOKEN = "glpat-secret"


def block(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return found


class GitLab(ThreadingHTTPServer):
    """The notes of one merge request, as GitLab's API gives and takes them: pages of them, newest first."""

    daemon_threads = True

    def __init__(self, bodies=()):
        self.notes = [{"id": n, "author": {"id": author}, "body": body} for n, (author, body) in enumerate(bodies, 1)]
        self.asked = []
        self.tokens = set()
        super().__init__(("127.0.0.1", 0), _Answer)

    @property
    def bodies(self):
        return [(note["author"]["id"], note["body"]) for note in self.notes]

    def page(self, query):
        size, page = int(query["per_page"][0]), int(query["page"][0])
        return self.notes[::-1][size * (page - 1) : size * page]


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        address = urlsplit(self.path)
        self._answer({"id": ME} if address.path == "/api/v4/user" else self.server.page(parse_qs(address.query)))

    def do_POST(self):
        self.server.notes.append({"id": len(self.server.notes) + 1, "author": {"id": ME}, "body": self._body()})
        self._answer({})

    def do_PUT(self):
        number = int(self.path.removeprefix(f"{NOTES}/"))
        self.server.notes[number - 1]["body"] = self._body()
        self._answer({})

    def _body(self):
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        return parse_qs(sent, strict_parsing=True)["body"][0]

    def _answer(self, document):
        self.server.asked.append(f"{self.command} {urlsplit(self.path).path}")
        self.server.tokens.add(self.headers["PRIVATE-TOKEN"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, *_):
        """A test's output is its own."""


@pytest.fixture
def script(tmp_path):
    """Run the script beside a note, for the server at this port."""
    if missing := [tool for tool in ("curl", "jq") if shutil.which(tool) is None]:
        pytest.skip(f"no {' and '.join(missing)}: the script of docs/gitlab.md was not run")
    (tmp_path / "energy-note.md").write_text(render_gitlab(WHOLE), encoding="utf-8")

    def run(port):
        environ = {
            "PATH": os.environ["PATH"],
            "CI_API_V4_URL": f"http://127.0.0.1:{port}/api/v4",
            "CI_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_IID": "3",
            "GITLAB_TOKEN": TOKEN,
        }
        command = ["sh", "-c", block("sh")]
        return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def post(script):
    """Post the note to a merge request that has these notes already; give the server as it is afterwards."""

    def posted(*bodies):
        with GitLab(bodies) as server:
            Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            done = script(server.server_port)
            server.shutdown()
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        return server

    return posted


def test_the_first_time_the_note_is_posted_whole_with_the_token_as_a_header(post):
    server = post((5, "Looks good"))
    assert server.bodies == [(5, "Looks good"), (ME, render_gitlab(WHOLE))]
    assert server.tokens == {TOKEN}


def test_later_the_note_is_replaced_however_many_were_written_since_and_nobody_elses_is(post):
    marker = "<!-- energygate:v1:default -->"
    others = [(5, f"{marker}\nmine"), (ME, "another job's note")]
    server = post(*others, (ME, f"{marker}\nold"), *([(5, "chatter")] * 150))
    assert server.bodies == [*others, (ME, render_gitlab(WHOLE)), *([(5, "chatter")] * 150)]
    assert server.asked[-1] == f"PUT {NOTES}/3"


def test_a_server_that_cannot_be_reached_fails_the_job_and_the_token_is_not_told(script):
    with GitLab() as closed:
        port = closed.server_port
    failed = script(port)
    assert failed.returncode == 7  # curl: failed to connect
    assert TOKEN not in failed.stderr


def test_the_pipeline_satisfies_gitlabs_schema_and_measures_without_the_token_s_environment():
    pipeline = yaml.safe_load(block("yaml"))
    jsonschema.Draft7Validator(get_builtin_schema("vendor.gitlab-ci")).validate(pipeline)
    assert "environment" not in pipeline["energy"]
    assert pipeline["energy note"]["environment"]["name"] == "energy-note"
