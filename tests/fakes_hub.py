"""A Hub on the fake GitHub, and time that passes only while somebody sleeps."""

from energygate.github.client import GateSession, Hub
from energygate.github.waiting import Patience

START_S = 1_900_000_000.0
JITTER_S = 0.5


class Naps:
    """A clock; `waits` are the seconds that were slept."""

    def __init__(self):
        self.now_s = START_S
        self.waits = []

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.now_s += seconds

    def patience(self, **facts):
        """Patience by this clock, whose jitter is half a second."""
        known = {"sleep": self.sleep, "clock": lambda: self.now_s, "jitter": lambda: JITTER_S}
        return Patience(**known | facts)


class Connected(Hub):
    """A Hub with its session and its clock."""

    def __init__(self, github, *, url=None, token=None, deadline=None, **facts):
        self.naps = Naps()
        patience = self.naps.patience(**facts)
        self.session = GateSession(url or github.url, token or github.token, patience=patience, deadline=deadline)
        super().__init__(self.session, github.repository)

    @property
    def waits(self):
        return self.naps.waits
