"""The web page in Chromium, served by the program named by PARO_BINARY with the demo model.

Without Chromium (`tools/install_packages.sh browser`) nothing of this is run.
"""
from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tools/memory"), str(ROOT / "tests/server")]

from browser import CHROMIUM, DRIVER, Browser, Keys
from served import Served, get, serving

if not CHROMIUM or not DRIVER:
    pytest.skip("chromium or its driver is not installed", allow_module_level=True)

BINARY, DEMO = os.environ["PARO_BINARY"], ROOT / "models/demo"
TRANSCRIPTS = json.loads((ROOT / "tests/goldens/demo_transcripts.json").read_text())
INJECTION = "<img src=x onerror=window.injected=1><script>window.injected=1</script>"
RICH_TEXT = f"""# Title

- one `code`
  1. nested

| a | b |
| - | -: |
| {"wide " * 30} | 2 |

```py
{"x = 1; " * 40}
```

{INJECTION} [bad](javascript:window.injected=1) [good](https://example.org/)
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(BINARY, DEMO) as served:
        yield served


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Browser]:
    """The page as at a first visit, at temperature 0. Afterwards: it did nothing that it must not."""
    open_page(browser, served.base, temperature="0")
    yield browser
    check_innocence(browser, served.base)


def open_page(browser: Browser, base: str, **settings: str) -> None:
    browser.resize(1280)
    browser.prefer("light")
    browser.driver.get(f"{base}/health")
    browser.run("localStorage.clear(); sessionStorage.clear();"
                "localStorage.setItem('paro.settings', arguments[0])", json.dumps(settings))
    browser.console(), browser.requested_urls()
    browser.driver.get(f"{base}/")
    browser.wait(lambda: browser.text("#model") == "demo", "the model's name")


def check_innocence(browser: Browser, base: str) -> None:
    assert browser.run("return window.violations") == []
    assert browser.run("return window.injected") is None
    assert browser.console() == []
    own = (base + "/", "data:image/svg+xml", "blob:" + base)
    assert [url for url in browser.requested_urls() if not url.startswith(own)] == []


def ask(page: Browser, text: str) -> None:
    page.find("#message").send_keys(text, Keys.ENTER)


def answer_to(page: Browser, text: str) -> str:
    n_before = len(page.find_all(".answer footer:not([hidden])"))
    ask(page, text)
    page.wait(lambda: len(page.find_all(".answer footer:not([hidden])")) > n_before, "an answer")
    return page.text(".answer .markdown")


def is_writing(page: Browser) -> bool:
    return len(page.find_all(".answer.writing")) > 0


def set_field(page: Browser, name: str, value: str) -> None:
    page.run("""const field = document.getElementById("options").elements[arguments[0]];
        field.value = arguments[1];
        field.dispatchEvent(new Event("input", {bubbles: true}))""", name, value)


def import_chats(page: Browser, *conversations: list[dict[str, Any]]) -> None:
    file = {"format": "paro-conversations", "version": 1,
            "conversations": [{"updated": 1000 - i, "messages": each} for i, each in enumerate(conversations)]}
    import_text(page, json.dumps(file))


def import_text(page: Browser, text: str) -> None:
    page.run("""const files = new DataTransfer();
        files.items.add(new File([arguments[0]], "chats.json"));
        const field = document.getElementById("import-file");
        field.files = files.files;
        field.dispatchEvent(new Event("change"))""", text)
    page.wait(lambda: page.find("#notice").is_displayed(), "a notice")


def test_answer_comes_with_its_figures(page: Browser) -> None:
    assert answer_to(page, "What is the capital of France?") == "The capital of France is Paris."
    figures = page.text(".answer footer")
    assert re.search(r"11 tokens · [\d.]+ tok/s · prompt 22 .*at [\d.]+ tok/s · first after [\d.]+ s", figures), figures
    assert page.text("#context-text") == "33 of 4,096 tokens"
    assert page.text("#title") == "What is the capital of France?"
    assert "What is the capital of France?" in page.text("#chat-list")
    assert "Paris" in page.text("#announcement")
    assert page.focused() == "message"


def test_answer_is_shown_while_it_is_written(page: Browser) -> None:
    page.script_answers()
    ask(page, "Go on")
    page.tell(content="First **wo")
    page.wait(lambda: page.text(".answer .markdown") == "First wo", "the beginning")
    assert page.text(".answer .markdown strong") == "wo"
    assert page.find("#stop").is_displayed() and not page.find("#send").is_displayed()
    page.tell(content="rd**\n\nSecond")
    page.wait(lambda: page.text(".answer .markdown p") == "Second", "the second paragraph")
    assert page.text(".answer .markdown strong") == "word"
    page.run("finish()")
    page.wait(lambda: not is_writing(page), "the end")
    assert page.find("#send").is_displayed()


def test_finished_blocks_stay_the_nodes_they_are(page: Browser) -> None:
    page.script_answers()
    ask(page, "Go on")
    page.tell(content="One\n\n```\ncode")
    page.wait(lambda: page.text(".answer code") == "code", "code")
    page.run("window.kept = [...document.querySelectorAll('.answer .markdown > *')]")
    for _ in range(20):
        page.tell(content=" more\ncode")
    page.wait(lambda: page.text(".answer code").count("more") == 20, "more code")
    assert page.run("return window.kept.length === 2 && window.kept.every((node) => node.isConnected)")
    page.run("finish()")


def test_escape_stops_an_answer_and_keeps_what_is_there(page: Browser) -> None:
    page.script_answers()
    ask(page, "Count")
    page.tell(content="1, 2, 3")
    page.wait(lambda: page.text(".answer .markdown") == "1, 2, 3", "the beginning")
    page.press(Keys.ESCAPE)
    page.wait(lambda: not is_writing(page), "the stop")
    assert page.text(".answer .end") == "Stopped."
    assert page.text(".answer .markdown") == "1, 2, 3"
    assert page.focused() == "message"


def test_stop_ends_the_sequence_in_the_server(page: Browser, served: Served) -> None:
    set_field(page, "temperature", "2")
    for _ in range(20):  # an answer may be short, and end before it is stopped
        ask(page, "Write a story about a bear and a frog.")
        page.wait(lambda: page.text(".answer .markdown") or not is_writing(page), "an answer")
        page.press(Keys.ESCAPE)
        page.wait(lambda: not is_writing(page), "its end")
        if page.text(".turn:last-child .end") == "Stopped.":
            return
    pytest.fail("no answer was stopped")


def test_thoughts_are_folded(page: Browser) -> None:
    set_field(page, "thinking", "on")
    assert answer_to(page, "Which is larger, 725 or 406?") == "725 is larger than 406."
    assert page.text(".answer .thoughts").strip() == "This is simple."
    assert page.text(".answer summary").startswith("Thought")
    assert not page.find(".answer .thoughts").is_displayed()
    page.click(".answer summary")
    assert page.find(".answer .thoughts").is_displayed()


def test_thoughts_are_followed_while_folded(page: Browser) -> None:
    page.script_answers()
    ask(page, "Think")
    page.tell(reasoning_content="First line\nSecond")
    page.wait(lambda: page.text(".answer summary") == "Thinking: Second", "the thought")
    page.tell(content="Done")
    page.wait(lambda: page.text(".answer summary").startswith("Thought for "), "the answer")
    page.run("finish()")


def test_tool_call_is_shown_and_its_result_goes_on(page: Browser) -> None:
    transcript = next(t for t in TRANSCRIPTS if t["messages"][-1]["content"] == "Use the calculator: 2871 - 1948")
    set_field(page, "tools", json.dumps(transcript["tools"]))
    answer_to(page, "Use the calculator: 2871 - 1948")
    assert page.text(".call h3") == "calculator"
    assert json.loads(page.text(".call code")) == {"expression": "2871 - 1948"}
    assert page.text(".call code").startswith("{\n  ")
    assert page.run("return document.activeElement.getAttribute('aria-label')") == "Result of calculator"
    page.press("923", Keys.ENTER)
    page.wait(lambda: "923" in page.text(".answer:last-child .markdown") and not is_writing(page), "the answer")
    assert page.text(".call section, .call pre:last-of-type") == "923"


def test_tools_that_are_no_json_are_not_sent(page: Browser) -> None:
    set_field(page, "tools", "{")
    ask(page, "Hello")
    assert page.find("#settings").is_displayed()
    assert page.text("#tools-error").startswith("Not usable: ")
    assert page.find_all(".turn") == []


def test_text_of_the_model_never_becomes_markup(page: Browser) -> None:
    page.script_answers()
    ask(page, INJECTION)
    page.tell(reasoning_content=INJECTION, content=RICH_TEXT)
    page.tell(tool_calls=[{"index": 0, "id": "a", "function": {"name": INJECTION, "arguments": INJECTION}}])
    page.run("finish()")
    page.wait(lambda: not is_writing(page), "the end")
    assert page.find_all(".turn img, .turn script, nav img, header img") == []
    assert INJECTION in page.text(".answer .markdown")
    assert page.text("#title") == INJECTION
    assert page.text("#chat-list .title") == INJECTION
    links = page.find_all(".answer .markdown a")
    assert [link.get_attribute("href") for link in links] == ["https://example.org/"]
    assert "noopener" in links[0].get_attribute("rel")
    page.driver.refresh()
    page.wait(lambda: page.text("#title") == INJECTION, "the chat")
    assert page.find_all(".turn img, .turn script") == []


def test_text_from_right_to_left_stands_right(page: Browser) -> None:
    import_chats(page, [{"role": "user", "content": "ما هي عاصمة فرنسا؟"},
                        {"role": "assistant", "content": "- باريس\n\nParis is its capital."}])
    assert page.find(".answer .markdown").get_attribute("dir") == "rtl"
    assert page.find(".question .text").get_attribute("dir") == "auto"
    edge = lambda selector: page.run("""const range = document.createRange();
        range.selectNodeContents(document.querySelector(arguments[0]));
        return [range.getBoundingClientRect().left, range.getBoundingClientRect().right]""", selector)
    box = page.find(".answer .markdown").rect
    assert edge(".answer li p")[1] > box["x"] + box["width"] - 40
    assert edge(".answer .markdown > p")[0] == pytest.approx(box["x"], abs=2)


def test_retry_edit_and_delete(page: Browser) -> None:
    answer_to(page, "What is the capital of France?")
    page.click("[aria-label='Answer again']")
    page.wait(lambda: not is_writing(page) and page.text(".answer .markdown").endswith("Paris."), "the second answer")
    assert len(page.find_all(".turn")) == 2
    page.click("[aria-label='Edit the message']")
    field = page.find(".question textarea")
    field.clear()
    field.send_keys("Who are you?", Keys.ENTER)
    page.wait(lambda: "tiny mixture of experts" in page.text(".answer .markdown") and not is_writing(page), "its answer")
    assert len(page.find_all(".turn")) == 2
    page.click("[aria-label='Delete the message and its answer']")
    page.click("#confirmation-action")
    page.wait(lambda: page.find_all(".turn") == [], "the deletion")
    assert page.find("#empty").is_displayed()


def test_chat_survives_a_reload_and_a_file(page: Browser) -> None:
    answer_to(page, "What is the capital of France?")
    page.driver.refresh()
    page.wait(lambda: page.text(".answer .markdown") == "The capital of France is Paris.", "the chat")
    page.run("""URL.createObjectURL = (blob) => { blob.text().then((text) => (window.exported = text)); return "#"; };
        document.getElementById("export-all").click()""")
    exported = page.wait(lambda: page.run("return window.exported"), "the file")
    page.click("#chat-list li button:last-child")
    page.click("#confirmation-action")
    page.wait(lambda: page.find_all("#chat-list li") == [], "the deletion")
    import_text(page, exported)
    page.wait(lambda: page.text(".answer .markdown") == "The capital of France is Paris.", "the imported chat")
    assert len(page.find_all("#chat-list li")) == 1


def test_files_that_hold_no_chats_are_refused(page: Browser) -> None:
    for text in ("{", "[]", '{"format":"paro-conversations","conversations":[{"messages":[{"role":"system"}]}]}'):
        import_text(page, text)
        assert page.text("#notice").startswith("Not imported: ")
        page.run("document.getElementById('notice').hidden = true")


def test_everything_is_reached_with_the_keyboard(page: Browser) -> None:
    assert page.focused() == "message"
    page.press("one", Keys.SHIFT + Keys.ENTER + Keys.NULL, "two")
    assert page.find("#message").get_property("value") == "one\ntwo"
    page.press(Keys.CONTROL + "a" + Keys.NULL, "What is the capital of France?", Keys.ENTER)
    page.wait(lambda: page.text(".answer .markdown").endswith("Paris.") and not is_writing(page), "the answer")

    page.run("document.activeElement.blur()")
    reached = []
    for _ in range(40):
        page.press(Keys.TAB)
        reached.append(page.run("const e = document.activeElement; return e.id || e.getAttribute('aria-label') || e.textContent"))
        if reached[-1] == "message":
            break
    for control in ("new-chat", "export-chat", "import", "open-engine", "open-settings", "theme", "Edit the message",
                    "Copy the answer", "Answer again", "message"):
        assert control in reached, (control, reached)
    assert reached.index("new-chat") < reached.index("open-settings") < reached.index("Answer again")

    page.run("document.getElementById('open-settings').focus()")
    page.press(Keys.ENTER)
    assert page.find("#settings").is_displayed()
    page.press(Keys.ENTER)
    assert not page.find("#settings").is_displayed()
    assert page.focused() == "open-settings"


def test_every_control_has_a_name(page: Browser) -> None:
    import_chats(page, [{"role": "user", "content": "a"}, {"role": "assistant", "content": RICH_TEXT,
                        "reasoning": "r", "calls": [{"id": "1", "name": "f", "arguments": "{}"}]}])
    nameless = page.run("""return [...document.querySelectorAll("button, input, select, textarea, summary")].filter((e) =>
        !(e.getAttribute("aria-label") || e.labels?.[0]?.textContent.trim() || e.textContent.trim())).map((e) => e.outerHTML)""")
    assert nameless == []
    for attribute in ("aria-controls", "aria-labelledby", "aria-describedby"):
        assert page.run("""return [...document.querySelectorAll(`[${arguments[0]}]`)].every((e) =>
            document.getElementById(e.getAttribute(arguments[0])))""", attribute), attribute


def test_colours_follow_the_system_and_the_button(page: Browser) -> None:
    def lightness() -> int:
        return sum(map(int, re.findall(r"\d+", page.run("return getComputedStyle(document.body).backgroundColor"))[:3]))

    assert lightness() > 600
    page.prefer("dark")
    assert lightness() < 150
    page.click("#theme")
    assert page.find("html").get_attribute("data-theme") == "light" and lightness() > 600
    page.driver.refresh()
    assert lightness() > 600
    page.click("#theme")
    page.prefer("light")
    assert page.find("html").get_attribute("data-theme") == "dark" and lightness() < 150


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_nothing_is_wider_than_the_window(page: Browser, width: int) -> None:
    def overflow() -> int:
        return page.run("return Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - arguments[0]", width)

    page.resize(width)
    page.driver.refresh()
    assert overflow() <= 0
    import_chats(page, [{"role": "user", "content": "a" * 300}, {"role": "assistant", "content": RICH_TEXT,
                        "calls": [{"id": "1", "name": "f" * 80, "arguments": '{"a": "' + "b" * 300 + '"}'}]}])
    page.run("document.getElementById('notice').hidden = true")
    assert overflow() <= 0
    for panel in ("engine", "settings", "chats"):
        button = page.find(f"#open-{panel}")
        if not button.is_displayed():
            continue
        if button.get_attribute("aria-expanded") == "false":
            button.click()
        assert page.find(f"#{panel}").is_displayed() and overflow() <= 0
        assert page.find(f"#{panel}").rect["width"] <= width
        page.click(f"[data-close={panel}]")


def test_panel_over_the_conversation_takes_and_gives_back_the_focus(page: Browser) -> None:
    page.resize(390)
    page.driver.refresh()
    page.wait(lambda: page.text("#model") == "demo", "the page")
    page.click("#open-settings")
    assert page.run("return document.getElementById('column').inert")
    assert page.run("return document.getElementById('settings').contains(document.activeElement)")
    page.press(Keys.ESCAPE)
    assert not page.find("#settings").is_displayed()
    assert page.focused() == "open-settings"


def test_memory_is_the_servers_and_is_asked_for_only_while_seen(page: Browser, served: Served) -> None:
    if not page.find("#engine").is_displayed():
        page.click("#open-engine")
    rows = page.wait(lambda: page.find_all("#memory tbody tr"), "the memory")
    names = [row.find_element("css selector", "th").text for row in rows]
    assert names == [each["name"] for each in served.memory()["classes"]]
    page.wait(lambda: any("/v1/memory" in url for url in page.requested_urls()), "a second look")
    page.click("#open-engine")
    page.wait(lambda: not page.find("#engine").is_displayed(), "the closed panel")
    time.sleep(0.5)  # for one that is on its way
    page.requested_urls()
    time.sleep(4)
    assert not any("/v1/memory" in url for url in page.requested_urls())


def test_settings_go_into_the_request_and_are_kept(page: Browser) -> None:
    for name, value in {"system": "Be brief.", "top_p": "0.5", "seed": "7", "stop": "a\nb", "thinking": "off"}.items():
        set_field(page, name, value)
    page.driver.refresh()
    page.wait(lambda: page.text("#model") == "demo", "the page")
    page.script_answers()
    ask(page, "Hello")
    [asked] = page.wait(lambda: page.run("return window.asked"), "the request")
    page.run("finish()")
    assert asked["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    assert (asked["temperature"], asked["top_p"], asked["seed"], asked["stop"]) == (0, 0.5, 7, ["a", "b"])
    assert asked["chat_template_kwargs"] == {"enable_thinking": False}
    assert "top_k" not in asked and "tools" not in asked


def test_reading_of_the_prompt_is_followed(page: Browser) -> None:
    page.script_answers()
    ask(page, "Hello")
    page.wait(lambda: page.run("return window.asked.length"), "the request")
    assert page.run("return window.asked[0].return_progress")
    page.run("tellChunk({choices: [], prompt_progress: {total: 2048, cache: 0, processed: 512, time_ms: 9}})")
    page.wait(lambda: page.text("#progress") == "reading 512 of 2,048 tokens", "the progress")
    page.run("finish()")
    page.wait(lambda: not is_writing(page) and page.text("#progress") == "", "the end")


def test_defaults_of_the_server_stand_where_nothing_is_set(page: Browser, served: Served) -> None:
    defaults = get(f"{served.base}/props")["default_generation_settings"]["params"]
    shown = lambda name: page.find(f"#options [name={name}]").get_attribute("placeholder")
    page.wait(lambda: shown("temperature"), "the defaults")
    for name in ("temperature", "top_p", "top_k", "min_p"):
        assert float(shown(name)) == pytest.approx(defaults[name], rel=1e-3), name
    assert shown("max_tokens") == "the context"
    assert shown("seed") == "random"


def test_error_is_told_in_the_servers_words(browser: Browser, served: Served) -> None:
    open_page(browser, served.base, max_tokens="99999")
    ask(browser, "Hello")
    message = browser.wait(lambda: browser.text(".answer .end.error"), "the error")
    assert "99999" in message and "4096" in message
    set_field(browser, "max_tokens", "")
    browser.click("[aria-label='Answer again']")
    browser.wait(lambda: browser.text(".answer .markdown") and not is_writing(browser), "the answer")


def test_full_queue_says_when_to_come_back(page: Browser) -> None:
    page.run("""window.fetch = () => Promise.resolve(new Response('{"error":{"message":"the queue is full","code":"unavailable"}}',
        {status: 503, headers: {"Retry-After": "1"}}))""")
    ask(page, "Hello")
    message = page.wait(lambda: page.text(".answer .end.error"), "the error")
    assert message == "the queue is full (The server asks to wait 1 s.)"


@contextlib.contextmanager
def serving_two(directory: Path, second: str) -> Iterator[Served]:
    for name in ("first", second):
        shutil.copytree(DEMO, directory / name)
    with serving(BINARY, Path(f"--models-dir={directory}"), "--max-context", "2048", "--max-batch", "2") as served:
        yield served


def test_of_several_models_the_chosen_one_answers_and_is_kept(browser: Browser, tmp_path: Path) -> None:
    with serving_two(tmp_path, "second") as served:
        browser.resize(1280)
        browser.driver.get(f"{served.base}/")
        browser.wait(lambda: browser.text("#model") == "first", "the first model")
        browser.find("#models").send_keys("second")
        browser.wait(lambda: browser.text("#model") == "second", "the choice")
        browser.script_answers()
        ask(browser, "Hello")
        [asked] = browser.wait(lambda: browser.run("return window.asked"), "the request")
        browser.run("finish()")
        assert asked["model"] == "second"
        browser.driver.refresh()
        browser.wait(lambda: browser.text("#model") == "second", "the kept choice")
        assert browser.run("return window.violations") == []
    browser.driver.get("about:blank")


def test_long_names_of_models_leave_the_narrow_page_its_buttons(browser: Browser, tmp_path: Path) -> None:
    with serving_two(tmp_path, "organisation/a-second-model-with-a-name-that-is-long") as served:
        for width in (320, 390):
            browser.resize(width)
            browser.driver.get(f"{served.base}/")
            browser.wait(lambda: browser.text("#model") == "first", "the first model")
            assert browser.find("#models").is_displayed()
            assert browser.run("return document.getElementById('theme').getBoundingClientRect().right") <= width
            assert browser.run("return document.documentElement.scrollWidth") <= width
    browser.driver.get("about:blank")


def test_late_defaults_of_a_model_that_was_left_are_not_shown_and_loading_is(browser: Browser, tmp_path: Path) -> None:
    with serving_two(tmp_path, "second") as served:
        browser.resize(1280)
        browser.driver.get(f"{served.base}/")
        placeholder = "return document.getElementById('options').elements.temperature.placeholder"
        browser.wait(lambda: browser.run(placeholder), "the defaults")
        browser.script_answers()
        browser.run("""const fetched = window.fetch;
            const reply = (body) => new Response(JSON.stringify(body));
            const props = (temperature) => reply({default_generation_settings: {params: {temperature}}});
            window.fetch = (url, options) => {
              if (String(url).endsWith("props?model=second"))
                return new Promise((resolve) => (window.letSecondTell = () => resolve(props(1.75))));
              if (String(url).endsWith("props?model=first")) return Promise.resolve(props(0.25));
              if (String(url).endsWith("models/first")) return Promise.resolve(reply({status: {value: "loading"}}));
              return fetched(url, options);
            }""")
        browser.find("#models").send_keys("second")
        browser.wait(lambda: browser.run("return Boolean(window.letSecondTell)"), "the question for the second's defaults")
        browser.find("#models").send_keys(Keys.ARROW_UP)  # letters would go on the name typed before
        browser.wait(lambda: browser.run(placeholder) == "0.25", "the first's defaults")
        browser.run("letSecondTell()")
        ask(browser, "Hello")
        browser.wait(lambda: browser.text("#progress") == "loading the model", "the hint")
        assert browser.run(placeholder) == "0.25"
        browser.tell(content="Hi")
        browser.wait(lambda: browser.text("#progress") != "loading the model", "its end")
        browser.run("finish()")
        browser.wait(lambda: not is_writing(browser), "the end")
        assert browser.run("return window.violations") == []
    browser.driver.get("about:blank")


def test_key_is_asked_for_and_kept_for_the_session(browser: Browser) -> None:
    with serving(BINARY, DEMO, "--api-key", "secret") as served:
        browser.resize(1280)
        browser.driver.get(f"{served.base}/")
        for key in ("wrong", "secret"):
            browser.wait(lambda: browser.find("#key").is_displayed(), "the question")
            browser.press(key, Keys.ENTER)
            if key == "wrong":
                browser.wait(lambda: "API key" in browser.text("#key-message"), "the refusal")
        browser.wait(lambda: browser.text("#model") == "demo", "the model's name")
        assert answer_to(browser, "What is the capital of France?").endswith("Paris.")
        assert browser.run("return sessionStorage.getItem('paro.key')") == "secret"
        assert "secret" not in browser.run("return JSON.stringify(localStorage)")
        assert browser.run("return window.violations") == []
    browser.driver.get("about:blank")
