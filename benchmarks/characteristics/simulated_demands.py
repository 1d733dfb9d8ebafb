"""What is demanded of the simulated suites."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from characteristics.campaign import INTERLEAVED, ONE_SESSION, STORED, TWO_STAGES, B, Found, power
from characteristics.demands import Demand, Figure, Miss, Relation, worst
from characteristics.peer_rules import PEERS
from characteristics.simulation import Setting

SDS: Final = (0.01, 0.02, 0.03)
_ALARMS_AT_MOST: Final = 5.0
_POWER_AT_LEAST: Final = 80.0
_WHOLE_SESSIONS: Final = Miss(
    bounds=(23, 24.5, 25),
    why="some sessions differ by 3 % throughout, by chance, and then all their benchmarks are queued",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    """Bounds for trial spreads of 1, 2 and 3 %, in every suite that the other fields allow."""

    what: str
    figure: str
    relation: Relation
    bounds: tuple[float, float, float]
    rules: tuple[str, ...] = (TWO_STAGES,)
    sizes: tuple[int, ...] = (20, 200)
    session_sds: tuple[float, ...] = (0.01, 0.02)
    noises: tuple[str, ...] = ("plain", "hard")
    known: Miss | None = None

    @property
    def where(self) -> str:
        """The suites in words."""
        spread = " or ".join(f"{100 * sd:.0f}" for sd in self.session_sds)
        return f"{' or '.join(map(str, self.sizes))} benchmarks, session spread {spread} %"

    def allow(self, setting: Setting) -> bool:
        """Whether they hold for this suite."""
        return (
            setting.benchmarks in self.sizes and setting.session_sd in self.session_sds and setting.noise in self.noises
        )


def _alarms(rule: str, sizes: tuple[int, ...], bounds: tuple[float, float, float]) -> _Bounds:
    return _Bounds(
        what=f"alarms, {_short(rule)}", figure="alarms", relation="at most", rules=(rule,), sizes=sizes, bounds=bounds
    )


def _found(rule: str, size: int, bounds: tuple[float, float, float], *session_sds: float) -> _Bounds:
    return _Bounds(
        what=f"+5 % found, {_short(rule)}",
        figure=power(0.05),
        relation="at least",
        rules=(rule,),
        sizes=(size,),
        session_sds=session_sds or (0.01, 0.02),
        bounds=bounds,
    )


def _blocks(size: int, bounds: tuple[float, float, float]) -> _Bounds:
    return _Bounds(
        what="blocks for each queued benchmark",
        figure="blocks",
        relation="at most",
        rules=(TWO_STAGES, INTERLEAVED),
        sizes=(size,),
        bounds=bounds,
    )


def _screened(
    what: str,
    figure: str,
    relation: Relation,
    session_sd: float,
    bounds: tuple[float, float, float],
    *,
    known: Miss | None = None,
) -> _Bounds:
    return _Bounds(what=what, figure=figure, relation=relation, session_sds=(session_sd,), bounds=bounds, known=known)


def _short(rule: str) -> str:
    return rule.removeprefix("energygate, ")


_ALL: Final = (
    _alarms(TWO_STAGES, (20,), (1, 2, 3.5)),
    _alarms(TWO_STAGES, (200,), (1.5, 3.5, 5)),
    _alarms(INTERLEAVED, (20, 200), (1, 2.5, 4.5)),
    _alarms(STORED, (20, 200), (4, 4, 4)),
    _found(TWO_STAGES, 20, (91, 88, 82), 0.01),
    _found(TWO_STAGES, 20, (82, 78, 73), 0.02),
    _found(TWO_STAGES, 200, (90, 86, 79), 0.01),
    _found(TWO_STAGES, 200, (80, 76, 67), 0.02),
    _found(INTERLEAVED, 20, (93, 90, 83)),
    _found(INTERLEAVED, 200, (91, 86, 74)),
    _Bounds(
        what="+5 % found, two stages, 1 stored session, plain noise",
        figure=power(0.05),
        relation="at least",
        rules=(ONE_SESSION,),
        sizes=(20,),
        session_sds=(0.01,),
        noises=("plain",),
        bounds=(87, 82, 76),
    ),
    _Bounds(
        what="+10 % found, both",
        figure=power(0.10),
        relation="at least",
        rules=(TWO_STAGES, INTERLEAVED),
        bounds=(99, 98, 97),
    ),
    _blocks(20, (11.5, 15.5, 20)),
    _blocks(200, (12, 17.5, 22.5)),
    _screened("unchanged benchmarks queued", "queued", "at most", 0.01, (7, 12, 16)),
    _screened("unchanged benchmarks queued", "queued", "at most", 0.02, (21, 22, 23), known=_WHOLE_SESSIONS),
    _screened("unchanged benchmarks that pass", "passes", "at least", 0.01, (96, 90, 82)),
    _screened("unchanged benchmarks that pass", "passes", "at least", 0.02, (79, 75, 69)),
    _screened("exactly the budget passes", "passes at the budget", "at most", 0.01, (10, 11, 12)),
    _screened("exactly the budget passes", "passes at the budget", "at most", 0.02, (14, 14, 14)),
)


def simulated_demands(found: Mapping[Setting, Found], *, errors: float) -> Iterator[Demand]:
    """The demands on simulated suites, beside what was found in the worst of them."""
    for each in _ALL:
        yield Demand(
            what=each.what,
            where=each.where,
            relation=each.relation,
            bounds=each.bounds,
            found=tuple(_worst(each, sd, found, errors=errors) for sd in SDS),
            errors=errors,
            unit="blocks" if each.figure == "blocks" else "%",
            known=each.known,
        )


def _worst(bounds: _Bounds, sd: float, found: Mapping[Setting, Found], *, errors: float) -> Figure:
    scale = 1 if bounds.figure == "blocks" else 100
    shares = [
        figures[rule, bounds.figure]
        for setting, figures in found.items()
        if setting.sd == sd and bounds.allow(setting)
        for rule in bounds.rules
    ]
    return worst(bounds.relation, (Figure(scale * each.value, scale * each.se) for each in shares), errors=errors)


def demands_beside_peers(found: Mapping[Setting, Found], *, errors: float) -> Iterator[Demand]:
    """In the noisier of the peers' suites energygate has few alarms and finds what is there; no peer has both."""
    where = "20 benchmarks, trial and session spread 2 %"
    figures = found[B]
    for rule in (TWO_STAGES, INTERLEAVED):
        alarms, finds = (Figure.percent(figures[rule, name]) for name in ("alarms", power(0.07)))
        for what, relation, bound, figure in (
            (f"alarms, {_short(rule)}", "at most", _ALARMS_AT_MOST, alarms),
            (f"+7 % found, {_short(rule)}", "at least", _POWER_AT_LEAST, finds),
        ):
            yield Demand(what=what, where=where, relation=relation, bounds=(bound,), found=(figure,), errors=errors)
    both = sum(
        100 * figures[peer.name, "alarms"].value <= _ALARMS_AT_MOST
        and 100 * figures[peer.name, power(0.07)].value >= _POWER_AT_LEAST
        for peer in PEERS
    )
    yield Demand(
        what="peers that keep both of these bounds",
        where=where,
        relation="at most",
        bounds=(0,),
        found=(Figure(both),),
        errors=errors,
        unit=f"of {len(PEERS)}",
    )
