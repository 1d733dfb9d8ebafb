"""A client of a chat server, instrumented as users do it: openai, OpenLLMetry, OpenTelemetry's SDK as it comes.

Runs in the environment of `make .venv/.otel`. It asks once for each word it is given:
`otel_client.py URL PROMPT plain streamed agent`. An agent span repeats the totals of the question that it encloses.
"""

import sys
from types import MappingProxyType

from openai import OpenAI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

STREAMED = {"streamed": {"stream": True, "stream_options": {"include_usage": True}}, "silent": {"stream": True}}


def main():
    _, url, prompt, *kinds = sys.argv
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    OpenAIInstrumentor().instrument()
    client = OpenAI(base_url=url, api_key="none", max_retries=0)
    for kind in kinds:
        if kind == "agent":
            with trace.get_tracer("agent").start_as_current_span("agent") as span:
                usage = ask(client, prompt)
                span.set_attribute("gen_ai.usage.input_tokens", usage.prompt_tokens)
                span.set_attribute("gen_ai.usage.output_tokens", usage.completion_tokens)
        else:
            ask(client, prompt, streamed=STREAMED.get(kind, {}))
    provider.shutdown()


def ask(client, prompt, *, streamed=MappingProxyType({})):
    answer = client.chat.completions.create(
        model="smollm2-135m",
        messages=[{"role": "user", "content": prompt}],
        max_tokens=24,
        temperature=0,
        seed=7,
        **streamed,
    )
    if not streamed:
        return answer.usage
    for _ in answer:
        pass
    return None


if __name__ == "__main__":
    main()
