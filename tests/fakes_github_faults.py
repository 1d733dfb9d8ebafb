"""What the fake GitHub answers instead of the truth: `github.fail(faults.down(), times=2, method="GET")`."""

from dataclasses import dataclass, replace

from fakes_github_http import Answer, Request


@dataclass(frozen=True)
class Fault:
    """An answer, and whether the server did what was asked before it failed to say so."""

    answer: Answer
    is_done: bool = False
    is_contract: bool = True
    """False where GitHub's description could not describe it: HTML, or no answer at all."""


@dataclass
class Planned:
    """A fault for the next `left` requests of a method whose target has `part` in it."""

    fault: Fault
    left: int
    method: str | None
    part: str

    def takes(self, request: Request) -> bool:
        """Whether the fault is this request's."""
        return self.left > 0 and self.method in (None, request.method) and self.part in request.target


def permission(message="Resource not accessible by integration"):
    """A token that may not do this."""
    return Fault(
        Answer(403, {"message": message, "documentation_url": "https://docs.github.com/rest", "status": "403"})
    )


def retry_after(seconds, status=403):
    """A secondary rate limit that says how long to wait."""
    return secondary(status, {"Retry-After": str(seconds)})


def secondary(status=403, headers=None):
    """A secondary rate limit that says so in words alone."""
    return Fault(Answer(status, {"message": "You have exceeded a secondary rate limit."}, headers or {}))


def bare(status=429):
    """A refusal without a reason."""
    return Fault(Answer(status, {"message": "Too many requests"}))


def exhausted(reset_at_s, status=403):
    """The hour's requests are used up until this second of the epoch."""
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset_at_s)}
    return Fault(Answer(status, {"message": "API rate limit exceeded for installation."}, headers))


def down(status=502):
    """The server cannot answer now."""
    return Fault(Answer(status, {"message": "Server Error"}))


def html(status=502):
    """A proxy's page instead of JSON."""
    page = b"<html><body>Unicorn!</body></html>"
    return Fault(Answer(status, raw=page, headers={"Content-Type": "text/html"}), is_contract=False)


def slow():
    """Nothing comes until the client gives up."""
    return Fault(Answer(0, ending="withheld"), is_contract=False)


def reset():
    """The connection is torn down before anything was done."""
    return Fault(Answer(0, ending="reset"), is_contract=False)


def lost(by=None):
    """What was asked is done, but its answer is lost, by a reset or as another fault says."""
    return replace(by or reset(), is_done=True)
