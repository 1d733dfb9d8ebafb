"""The picture of docs/statistics.md: who raises alarms, and who finds what is there."""

from collections.abc import Iterator, Mapping
from html import escape
from itertools import product
from typing import Final, NamedTuple

from characteristics.campaign import B, Found, power
from characteristics.peer_rules import PEERS
from characteristics.simulation import Setting
from characteristics.tables import OURS

CHANGE: Final = 0.07
WIDTH, HEIGHT = 860, 540
LEFT, RIGHT, TOP, BOTTOM = 60, 30, 60, 56
INK, GRID, OWN, PEER, TARGET = "#24292f", "#d0d7de", "#116329", "#6e7781", "#dafbe1"
LETTER_PX, LINE_PX, GAP_PX = 6.2, 14, 9
TITLE: Final = "Pull requests of 20 benchmarks, trial and session spread 2 %"


class Point(NamedTuple):
    """A rule in the picture's coordinates."""

    name: str
    x: float
    y: float

    @property
    def color(self) -> str:
        """Ours stands out."""
        return OWN if self.name in OURS else PEER


class Box(NamedTuple):
    """What a label covers."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        """Whether they overlap."""
        beside = self.right <= other.left or other.right <= self.left
        return not beside and self.top < other.bottom and other.top < self.bottom


def picture(found: Mapping[Setting, Found]) -> str:
    """Draw the share of pull requests that fail unchanged, and of increases of 7 % that are found, as SVG."""
    figures = found[B]
    points = [
        Point(
            name.replace("`", ""), _x(100 * figures[name, "alarms"].value), _y(100 * figures[name, power(CHANGE)].value)
        )
        for name in (*OURS, *(peer.name for peer in PEERS))
    ]
    view = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {view}>'
    return "\n".join([head, *_frame(), *_labelled(points), "</svg>\n"])


def _x(percent: float) -> float:
    return LEFT + percent / 100 * (WIDTH - LEFT - RIGHT)


def _y(percent: float) -> float:
    return HEIGHT - BOTTOM - percent / 100 * (HEIGHT - TOP - BOTTOM)


def _frame() -> Iterator[str]:
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    yield _rectangle(Box(_x(0), _y(100), _x(5), _y(80)), TARGET)
    for percent in range(0, 101, 20):
        yield _line(_x(percent), _y(0), _x(percent), _y(100), GRID)
        yield _line(_x(0), _y(percent), _x(100), _y(percent), GRID)
        yield _text(_x(percent), _y(0) + 18, f"{percent} %", anchor="middle")
        yield _text(_x(0) - 8, _y(percent) + 4, f"{percent} %", anchor="end")
    yield _text(LEFT, 22, TITLE, size=15)
    target = "green: at least 80 %, alarms at most 5 %"
    yield _text(LEFT, TOP - 16, f"increases of {100 * CHANGE:.0f} % that are found; {target}")
    yield _text(WIDTH - RIGHT, HEIGHT - 14, "pull requests that fail although nothing changed", anchor="end")


def _labelled(points: list[Point]) -> Iterator[str]:
    taken = [Box(point.x - 5, point.y - 5, point.x + 5, point.y + 5) for point in points]
    for point in points:
        box = next(box for box in _places(point) if not any(box.meets(other) for other in taken))
        taken.append(box)
        yield _line(point.x, point.y, *_nearest(box, point), point.color)
        yield f'<circle cx="{point.x:.1f}" cy="{point.y:.1f}" r="4.5" fill="{point.color}"/>'
        yield _text(box.left, box.bottom - 3, point.name, color=point.color)


def _places(point: Point) -> Iterator[Box]:
    """Where the label may stand, the best place first."""
    width = LETTER_PX * len(point.name)
    steps = sorted(range(-30, 31), key=abs)
    for step, left in product(steps, (point.x + GAP_PX, point.x - GAP_PX - width)):
        top = point.y - LINE_PX / 2 + step * LINE_PX / 2
        if left >= _x(0) and left + width <= WIDTH and _y(100) - LINE_PX <= top <= _y(0) - LINE_PX:
            yield Box(left, top, left + width, top + LINE_PX)


def _nearest(box: Box, point: Point) -> tuple[float, float]:
    return (box.left - 2 if box.left > point.x else box.right + 2), box.top + LINE_PX / 2


def _rectangle(box: Box, color: str) -> str:
    width, height = box.right - box.left, box.bottom - box.top
    return f'<rect x="{box.left:.1f}" y="{box.top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, color: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 11, color: str = INK) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size}" fill="{color}">{escape(text)}</text>'
