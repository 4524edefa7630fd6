"""The jinja2 environment that transformers renders chat templates with, and the driver of the C++ side."""

from __future__ import annotations

import datetime
import functools
import json
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
import jinja2.sandbox

# 2025-03-07 14:05:09 UTC. Both sides run with TZ=UTC.
CLOCK = 1741356309


class Generation(jinja2.ext.Extension):
    """{% generation %}: its text passes through."""

    tags = {"generation"}

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_pass"), [], [], body).set_lineno(line)

    def _pass(self, caller: Any) -> str:
        return caller()


def raise_exception(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def tojson(
    x: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def strftime_now(format: str) -> str:
    return datetime.datetime.fromtimestamp(CLOCK, datetime.timezone.utc).replace(tzinfo=None).strftime(format)


def make_environment() -> jinja2.Environment:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = strftime_now
    return environment


@functools.lru_cache(maxsize=4)
def compiled(source: str) -> jinja2.Template:
    return make_environment().from_string(source)


def render_python(source: str, context: dict[str, Any]) -> dict[str, str]:
    """{"text"}, or {"error", "kind"} with the kind that paro gives such a failure."""
    try:
        text = compiled(source).render(**context)
        text.encode("utf-8")
        return {"text": text}
    except jinja2.exceptions.TemplateError as error:
        kind = "request" if type(error) is jinja2.exceptions.TemplateError else "chat_template"
        return {"error": str(error), "kind": kind}
    except Exception as error:  # whatever Python raises while rendering is a failure of the template
        return {"error": f"{type(error).__name__}: {error}", "kind": "chat_template"}


class Driver:
    """A running paro_render_template."""

    def __init__(self, binary: Path) -> None:
        self.process = subprocess.Popen(
            [str(binary)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", env={"TZ": "UTC"}
        )

    def render(self, source: str, context: dict[str, Any]) -> dict[str, str]:
        assert self.process.stdin and self.process.stdout
        request = {"source": source, "context": context, "now": CLOCK}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            return {"error": "the driver died", "kind": "crash"}
        return json.loads(answer)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=10)
