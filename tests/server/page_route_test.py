"""GET / as HTTP: the page's bytes, compressed or not, and the policy that a browser is to hold it to."""
from __future__ import annotations

import base64
import gzip
import hashlib
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools/memory"))

from served import serving

BINARY = os.environ["PARO_BINARY"]


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with serving(BINARY, ROOT / "models/demo", "--api-key", "secret") as served:
        yield served.base


def get(base: str, **headers: str) -> tuple[int, Message, bytes]:
    request = urllib.request.Request(f"{base}/", headers={name.replace("_", "-"): text for name, text in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_page_is_the_same_compressed(base: str) -> None:
    status, headers, plain = get(base)
    assert (status, headers["Content-Type"], headers["Content-Encoding"]) == (200, "text/html; charset=utf-8", None)
    status, headers, compressed = get(base, Accept_Encoding="br, gzip;q=0.5")
    assert (status, headers["Content-Encoding"], headers["Vary"]) == (200, "gzip", "Accept-Encoding")
    assert len(compressed) < len(plain) / 2
    assert gzip.decompress(compressed) == plain
    for refused in ("gzip;q=0", "identity", "br"):
        assert get(base, Accept_Encoding=refused)[1]["Content-Encoding"] is None, refused


def test_known_page_is_not_sent_again(base: str) -> None:
    tag = get(base)[1]["ETag"]
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        status, headers, body = get(base, If_None_Match=known)
        assert (status, headers["ETag"], body) == (304, tag, b""), known
    assert get(base, If_None_Match='"other"')[0] == 200


def test_policy_allows_the_page_itself_alone(base: str) -> None:
    _, headers, plain = get(base)
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    html = plain.decode()
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        [text] = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[directive] == f"'sha256-{digest}'"
    assert policy["connect-src"] == "'self'"
    for directive in ("default-src", "base-uri", "form-action", "frame-ancestors"):
        assert policy[directive] == "'none'", directive
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_page_names_nothing_elsewhere(base: str) -> None:
    html = get(base)[2].decode()
    assert set(re.findall(r"https?://[\w./-]+", html)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert not re.search(r"<(?:link|script|img|iframe)[^>]*\b(?:src|href)=\"(?!data:)", html)
    for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert sink not in html, sink
