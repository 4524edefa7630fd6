"""A Chromium without a window, as Debian packages it, and what tests ask of it."""
from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
WAIT_S = 60

# Runs before the page's own script: what the policy refused, and the answers that a test writes itself.
WATCH_SCRIPT = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}`));
"""

# From then on answers are what tell() says, until finish(); their requests are kept in `asked`.
SCRIPTED_ANSWERS = """
const fetched = window.fetch;
const encoder = new TextEncoder();
window.asked = [];
window.fetch = (url, options) => {
  if (!String(url).endsWith("/chat/completions")) return fetched(url, options);
  window.asked.push(JSON.parse(options.body));
  const body = new ReadableStream({
    start(controller) {
      const send = (text) => controller.enqueue(encoder.encode(`data: ${text}\\n\\n`));
      window.tellChunk = (chunk) => send(JSON.stringify(chunk));
      window.tell = (delta) => window.tellChunk({choices: [{index: 0, delta, finish_reason: null}]});
      window.finish = () => { send("[DONE]"); controller.close(); };
      options.signal.addEventListener("abort", () => controller.error(new DOMException("", "AbortError")));
    },
  });
  return Promise.resolve(new Response(body));
};
"""


class Browser:
    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        for flag in ("--headless=new", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run",
                     "--disable-component-update", "--window-size=1280,860"):
            options.add_argument(flag)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # which Chromium cannot set up for root
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.driver.set_script_timeout(WAIT_S)
        self.command("Page.addScriptToEvaluateOnNewDocument", source=WATCH_SCRIPT)

    def command(self, name: str, **parameters: Any) -> Any:
        return self.driver.execute_cdp_cmd(name, parameters)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def resize(self, width: int, height: int = 860) -> None:
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                     mobile=width < 600)

    def prefer(self, scheme: str) -> None:
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Of the document, whether it is seen or not; of the last element that matches."""
        return self.run("return [...document.querySelectorAll(arguments[0])].at(-1)?.textContent ?? ''", selector)

    def click(self, selector: str) -> None:
        self.find(selector).click()

    def press(self, *keys: str) -> None:
        """Keys to whatever has the focus."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def focused(self) -> str:
        return self.run("return document.activeElement.id || document.activeElement.tagName.toLowerCase()")

    def wait(self, holds: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            if result := holds():
                return result
            time.sleep(0.05)
        raise AssertionError(f"{what} did not come about within {WAIT_S} s; the page shows: {self.text('#turns')[-500:]}")

    def script_answers(self) -> None:
        self.run(SCRIPTED_ANSWERS)

    def tell(self, **delta: Any) -> None:
        self.run("tell(arguments[0])", delta)

    def console(self) -> list[str]:
        """What it has not yet said."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requested_urls(self) -> list[str]:
        """Those not yet told of."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def quit(self) -> None:
        self.driver.quit()


__all__ = ["CHROMIUM", "DRIVER", "Browser", "Keys"]
