"""Contrast as WCAG 2.2 defines it (1.4.3): 4.5 for text."""

import itertools
import re
from importlib.resources import files

import pytest

STYLE = files("energygate.report.html").joinpath("templates/page.css").read_text(encoding="utf-8")
COLOURS = {name: pair for name, *pair in re.findall(r"--([a-z0-9-]+): light-dark\((#\w{6}), (#\w{6})\)", STYLE)}
ON = {
    "text": ("bg", "panel", "warn-soft"),
    "muted": ("bg", "panel"),
    "head": ("bg",),
    "bad": ("bg", "panel", "bad-soft"),
    "warn": ("bg", "warn-soft"),
    "good": ("bg", "good-soft"),
}
PAIRS = [(text, ground) for text, grounds in ON.items() for ground in grounds]


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(("pair", "theme"), list(itertools.product(PAIRS, (0, 1))))
def test_text_can_be_read_in_both_themes(pair, theme):
    light, dark = sorted((luminance(COLOURS[name][theme]) for name in pair), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
