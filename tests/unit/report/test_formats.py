import subprocess
import sys

import pytest
from shown_reports import shown_report

from energygate.errors import ConfigError
from energygate.options import require_extra
from energygate.report.formats import FORMATS, Format, named_formats


def test_all_formats_are_named_as_a_sentence_has_them():
    *first, last = FORMATS
    named = ", ".join(first)
    assert (named_formats(), named_formats("and")) == (f"{named} or {last}", f"{named} and {last}")


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_gives_the_same_bytes_each_time(name):
    report = shown_report("two stages")
    assert FORMATS[name].render(report) == FORMATS[name].render(report)


def test_a_format_whose_libraries_are_installed_is_taken():
    require_extra("html", FORMATS["html"], is_installed=lambda name: True)
    require_extra("json", FORMATS["json"], is_installed=lambda name: False)


@pytest.mark.parametrize(
    ("installed", "missing"),
    [(set(), "one and two, which are not installed"), ({"one"}, "two, which is not installed")],
)
def test_a_format_whose_libraries_are_missing_is_refused_with_the_line_that_installs_them(installed, missing):
    found = Format(render=FORMATS["json"].render, modules=("one", "two"), extra="pretty")
    with pytest.raises(ConfigError) as refusal:
        require_extra("page", found, is_installed=installed.__contains__)
    assert str(refusal.value) == (
        f"A report as page needs {missing}. Without that it cannot be written. "
        "Run `pip install 'energygate[pretty]'`, or ask for another format."
    )


LOADED = """
import sys
import energygate.report.formats
print(*(name for name in sys.modules if name.startswith("energygate.") or name in {"msgspec", "jinja2"}))
"""


def test_the_names_of_the_formats_cost_no_import_of_a_format():
    loaded = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert loaded.stdout == "energygate.report energygate.report.formats\n"
