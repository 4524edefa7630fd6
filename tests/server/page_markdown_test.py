"""The page's Markdown, in Chromium: the script is the one that the program serves."""
from __future__ import annotations

import os
import random
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tools/memory"), str(ROOT / "tests/server")]

from browser import CHROMIUM, DRIVER, Browser
from served import serving

if not CHROMIUM or not DRIVER:
    pytest.skip("chromium or its driver is not installed", allow_module_level=True)

BINARY = os.environ["PARO_BINARY"]
FIRST_UNNEEDED_MODULE = 'modules["event_stream.js"]'
RENDER_SCRIPT = """
const render = (pieces) => {
  const root = document.createElement("div");
  const markdown = new modules["markdown.js"].Markdown(root);
  for (const piece of pieces) markdown.push(piece);
  markdown.finish();
  return root;
};
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    browser = Browser()
    with serving(BINARY, ROOT / "models/demo") as served:
        browser.driver.get(f"{served.base}/")
        script = browser.run("return document.querySelector('script').textContent")
        modules = script[:script.index(FIRST_UNNEEDED_MODULE)]
        browser.run(modules + RENDER_SCRIPT + "window.render = render; window.modules = modules")
        yield browser
    browser.quit()


def html(browser: Browser, *pieces: str) -> str:
    """What the pieces become, without what every block has."""
    text = browser.run("return render(arguments[0]).innerHTML", list(pieces))
    text = re.sub(r"<figure.*?<figcaption><span>(.*?)</span>.*?<pre[^>]*>", r"<pre \1>", text).replace("</figure>", "")
    text = re.sub(r' (?:scope|tabindex|target|rel|title|class)="[^"]*"', "", text)
    return text.replace("<div>", "").replace("</div>", "")


CASES = {
    "paragraphs": ("a\nb\n\nc", "<p>a\nb</p><p>c</p>"),
    "emphasis": ("*a* **b** ***c*** ~~d~~ _e_ __f__",
                 "<p><em>a</em> <strong>b</strong> <em><strong>c</strong></em> <s>d</s> <em>e</em> <strong>f</strong></p>"),
    "emphasis in emphasis": ("**a *b* c** *a **b** c*",
                             "<p><strong>a <em>b</em> c</strong> <em>a <strong>b</strong> c</em></p>"),
    "no emphasis": ("2 * 3 * 4, a_b_c, **a*b**", "<p>2 * 3 * 4, a_b_c, <strong>a*b</strong></p>"),
    "emphasis beside wide punctuation": ("**中文。**后", "<p><strong>中文。</strong>后</p>"),
    "unclosed": ("**a *b `c [d", "<p>**a *b `c [d</p>"),
    "code": ("`a` ``b`c`` `` ` `` `*d*`", "<p><code>a</code> <code>b`c</code> <code>`</code> <code>*d*</code></p>"),
    "escapes": (r"\*a\* \` \[b\] \\ \a &amp; &lt; &#65; &nope;", r"<p>*a* ` [b] \ \a &amp; &lt; A &amp;nope;</p>"),
    "links": ("[a](https://e.org/x_(y)) <https://e.org> https://e.org/a_b. (see http://e.org/)",
              '<p><a href="https://e.org/x_(y)">a</a> <a href="https://e.org/">https://e.org</a> '
              '<a href="https://e.org/a_b">https://e.org/a_b</a>. (see <a href="http://e.org/">http://e.org/</a>)</p>'),
    "link with a title and emphasis": ('[**a** `b`](https://e.org "t")',
                                       '<p><a href="https://e.org/"><strong>a</strong> <code>b</code></a></p>'),
    "link in a link": ("[https://a.org](https://b.org)", '<p><a href="https://b.org/">https://a.org</a></p>'),
    "picture": ("![a](https://e.org/a.png)", '<p><a href="https://e.org/a.png">a</a></p>'),
    "unsafe links": ("[a](javascript:b) [c](data:text/html,d) <javascript:e> [f](/v1/g) [h](JaVaScRiPt:i)",
                     "<p>[a](javascript:b) [c](data:text/html,d) &lt;javascript:e&gt; [f](/v1/g) [h](JaVaScRiPt:i)</p>"),
    "html": ('<b onclick="a">b</b><script>c</script>', '<p>&lt;b onclick="a"&gt;b&lt;/b&gt;&lt;script&gt;c&lt;/script&gt;</p>'),
    "line break": ("a<br>b\\\nc", "<p>a<br>b\nc</p>"),
    "headings": ("# a\n### b ###\n#c\n\nd\n===\ne", "<h3>a</h3><h5>b</h5><p>#c</p><h3>d</h3><p>e</p>"),
    "rules": ("a\n\n---\n* * *\nb", "<p>a</p><hr><hr><p>b</p>"),
    "list": ("- a\n- b\n\n  c\n- d", "<ul><li><p>a</p></li><li><p>b</p><p>c</p></li><li><p>d</p></li></ul>"),
    "nested list": ("1. a\n   - b\n     - c\n2. d", "<ol><li><p>a</p><ul><li><p>b</p><ul><li><p>c</p></li></ul></li></ul></li>"
                    "<li><p>d</p></li></ol>"),
    "nested by two columns": ("1. a\n  - b\n2. c", "<ol><li><p>a</p><ul><li><p>b</p></li></ul></li><li><p>c</p></li></ol>"),
    "list of another kind": ("- a\n* b\n3) c", '<ul><li><p>a</p></li></ul><ul><li><p>b</p></li></ul><ol start="3"><li><p>c</p></li></ol>'),
    "list after a paragraph": ("a\n- b\n\n2024. c\n5. d", '<p>a</p><ul><li><p>b</p></li></ul><ol start="2024"><li><p>c</p></li><li><p>d</p></li></ol>'),
    "tasks": ("- [x] a\n- [ ] b", '<ul><li><span role="img" aria-label="done">☑ </span><p>a</p></li>'
              '<li><span role="img" aria-label="to do">☐ </span><p>b</p></li></ul>'),
    "code block": ("```py\na\n\n  b **c**\n```\nd", "<pre py><code>a\n\n  b **c**</code></pre><p>d</p>"),
    "code block in a list": ("- a\n  ```\n  b\n  ```\n- c", "<ul><li><p>a</p><pre text><code>b</code></pre></li><li><p>c</p></li></ul>"),
    "code block without an end": ("~~~\na\n```\nb", "<pre text><code>a\n```\nb</code></pre>"),
    "longer fence": ("````\n```\n````", "<pre text><code>```</code></pre>"),
    "quote": ("> a\nb\n> - c\n\nd", "<blockquote><p>a\nb</p><ul><li><p>c</p></li></ul></blockquote><p>d</p>"),
    "table": ("a | b\n- | -:\n1 | `x` | 3\n2\n\nc", "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td>"
              "<td><code>x</code></td></tr></tbody></table><p>2</p><p>c</p>"),
    "table with edges": ("x\n| a | b \\| c |\n| :-: | --- |\n| 1 | |\nd", "<p>x</p><table><thead><tr><th>a</th><th>b | c</th></tr></thead>"
                         "<tbody><tr><td>1</td><td></td></tr></tbody></table><p>d</p>"),
    "no table": ("a | b\n--- | --- | ---", "<p>a | b\n--- | --- | ---</p>"),
    "windows line ends": ("a\r\n\r\n- b\r\n", "<p>a</p><ul><li><p>b</p></li></ul>"),
}


@pytest.mark.parametrize("name", CASES)
def test_markdown_becomes(browser: Browser, name: str) -> None:
    text, expected = CASES[name]
    assert html(browser, text) == expected
    assert html(browser, *text) == expected, "character by character"


def test_pieces_do_not_change_what_text_becomes(browser: Browser) -> None:
    pieces = ["*", "**", "_", "`", "```\n", "- ", "1. ", "  ", "    ", "> ", "# ", "| ", "|\n", "-|-\n", "---\n", "[", "](", "https://e.org)",
              "\\", "<", "&amp;", "a", "b c", ".", "\n", "\n\n", "~~", "word ", "文"]
    chance = random.Random(1)
    for _ in range(150):
        text = "".join(chance.choice(pieces) for _ in range(chance.randrange(40)))
        whole = html(browser, text)
        assert html(browser, *text) == whole, repr(text)
        cut = chance.randrange(len(text) + 1)
        assert html(browser, text[:cut], text[cut:]) == whole, repr(text)


def test_half_written_text_looks_finished(browser: Browser) -> None:
    shown = lambda *pieces: browser.run("""const root = document.createElement("div");
        const markdown = new modules["markdown.js"].Markdown(root);
        for (const piece of arguments[0]) markdown.push(piece);
        return root.innerHTML.replace(/ [a-z-]+="[^"]*"/g, "")""", list(pieces))
    assert shown("a **b") == "<p>a <strong>b</strong></p>"
    assert shown("a `b") == "<p>a <code>b</code></p>"
    assert shown("a\n", "-") == "<p>a</p>"
    assert shown("- a\n", "- b") == "<ul><li><p>a</p></li><li><p>b</p></li></ul>"


@pytest.mark.parametrize("text", ["*a ", "**a*", "_a_ *", "[", "![", "[a](", "[a](b ", "`a ``b ", "<", "<http://", "&", "\\", "> ", "- ",
                                  "a|", "|-", "#", "#### # ", "* * ", "https://a.b/)", "~~a~~", "1. \n", "a\n", "```\n", "- a\n  ",
                                  "a|b\n-|-\n", "***a** b*", "](https://a.b)"])
def test_time_grows_with_the_text_alone(browser: Browser, text: str) -> None:
    long = text * (100_000 // len(text))
    start = time.monotonic()
    browser.run("render([arguments[0]])", long)
    pieces = [long[at:at + 500] for at in range(0, len(long), 500)]
    browser.run("render(arguments[0])", pieces)
    assert time.monotonic() - start < 20  # 100 000 characters; their square would take minutes


def test_nesting_is_bounded(browser: Browser) -> None:
    for text in ("> " * 500 + "a", "- " * 500 + "a", "*a " * 500 + "b*" * 500, "[" * 500 + "a" + "](https://e.org)" * 500):
        depth = browser.run("""let depth = 0;
            for (let node = render([arguments[0]]); node; node = [...node.children].at(-1)) ++depth;
            return depth""", text)
        assert depth < 120, text[:20]
