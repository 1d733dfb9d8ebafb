"""What the servers that energygate knows call their switches and counters. Read in their sources and documents."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from energygate.errors import ConfigError
from energygate.workloads.suites import InferenceSuite, PrefixCache

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterNames:
    """Prometheus metrics of a server. The metrics of one count are added up.

    Attributes
    ----------
    input : tuple of str
        Input tokens, those read from the prefix cache included.
    idle : tuple of str
        Gauges that are all 0 when the server has nothing to do.
    phases : tuple of str
        Seconds of all requests in prefill, and in decode; empty where it does not count them.
    """

    input: tuple[str, ...]
    output: tuple[str, ...]
    cached: tuple[str, ...]
    idle: tuple[str, ...]
    phases: tuple[str, str] | tuple[()] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One kind of server.

    Attributes
    ----------
    owners : frozenset of str
        What it says in `owned_by` of its list of models.
    fixed_output : callable or None
        Gives the request fields that make an answer exactly so many tokens long; None where there are none.
    no_cache : callable or None
        Gives the request fields that keep an answer from using the prefix cache; None where there are none.
    renewed : bool
        Whether `no_cache` gives something else for each request, so that none may be sent twice.
    counters : CounterNames or None
    """

    name: str
    owners: frozenset[str] = frozenset()
    fixed_output: Callable[[int], Fields] | None = None
    no_cache: Callable[[], Fields] | None = None
    renewed: bool = False
    counters: CounterNames | None = None


def _as_vllm(count: int) -> Fields:
    return {"ignore_eos": True, "min_tokens": count}


def presets(token: Callable[[], str] = secrets.token_hex) -> Mapping[str, Preset]:
    """Every preset by its name.

    Parameters
    ----------
    token : callable
        Gives another text each time: vLLM shares its prefix cache only among requests of one `cache_salt`.
    """
    known = (
        Preset(
            name="llama.cpp",
            owners=frozenset({"llamacpp"}),
            fixed_output=lambda _: {"ignore_eos": True},
            no_cache=lambda: {"cache_prompt": False},
            counters=CounterNames(
                input=("llamacpp:prompt_tokens_total", "llamacpp:prompt_tokens_cached_total"),
                output=("llamacpp:tokens_predicted_total",),
                cached=("llamacpp:prompt_tokens_cached_total",),
                idle=("llamacpp:requests_processing", "llamacpp:requests_deferred"),
            ),
        ),
        Preset(
            name="vllm",
            owners=frozenset({"vllm"}),
            fixed_output=_as_vllm,
            no_cache=lambda: {"cache_salt": token()},
            renewed=True,
            counters=CounterNames(
                input=("vllm:prompt_tokens_total",),
                output=("vllm:generation_tokens_total",),
                cached=("vllm:prompt_tokens_cached_total",),
                idle=("vllm:num_requests_running", "vllm:num_requests_waiting"),
                phases=("vllm:request_prefill_time_seconds_sum", "vllm:request_decode_time_seconds_sum"),
            ),
        ),
        Preset(
            name="sglang",
            owners=frozenset({"sglang"}),
            fixed_output=_as_vllm,
            counters=CounterNames(
                input=("sglang:prompt_tokens_total",),
                output=("sglang:generation_tokens_total",),
                cached=("sglang:cached_tokens_total",),
                idle=("sglang:num_running_reqs", "sglang:num_queue_reqs"),
            ),
        ),
        Preset(name="tensorrt-llm", owners=frozenset({"tensorrt_llm"}), fixed_output=_as_vllm),
        Preset(name="generic"),
    )
    return {preset.name: preset for preset in known}


PRESETS: Final = presets()


def detected(owner: str | None) -> Preset:
    """Give the preset of the server that owns the model; `generic` where nobody is known to."""
    return next((preset for preset in PRESETS.values() if owner in preset.owners), PRESETS["generic"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What a suite asks of its server, with everything decided that it left to the preset.

    Attributes
    ----------
    fixed_output : bool
        Whether each answer must have exactly its `max_tokens`.
    prefix_cache : str
        `disabled`, `warm` or `any`.
    """

    fixed_output: bool
    prefix_cache: PrefixCache

    @property
    def cache_off(self) -> bool:
        """Whether requests ask the server not to use its prefix cache."""
        return self.prefix_cache == "disabled"


def switches(suite: InferenceSuite, preset: Preset) -> Switches:
    """Decide what the suite leaves open.

    Raises
    ------
    ConfigError
        If it asks for what this server has no means for; the message begins with the key.
    """
    asked = suite.requests
    if asked.fixed_output and preset.fixed_output is None and not asked.extra_body:
        raise ConfigError(
            f"requests.fixed_output: preset {preset.name} has no switch for it.",
            fix="Put the server's own into extra_body, or set false.",
        )
    if suite.tokens.source == "counters" and preset.counters is None:
        raise ConfigError(
            f"tokens.source: of preset {preset.name} no counters are known.",
            why="The tokens would be unknown.",
            fix="Use usage, or name the server's preset in endpoint.preset.",
        )
    return Switches(
        fixed_output=preset.fixed_output is not None if asked.fixed_output is None else asked.fixed_output,
        prefix_cache=asked.prefix_cache or ("warm" if preset.no_cache is None else "disabled"),
    )
