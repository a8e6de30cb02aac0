"""The script of the live page, in Node.js with the few objects of a browser that it uses."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "watcher" / "static" / "page.js"
BROWSER = """
const element = () => ({
  children: [], style: {}, setAttribute() {}, append() {}, replaceChildren() {},
  prepend(child) { this.children.unshift(child); child.remove = () => this.children.pop(); },
  get lastElementChild() { return this.children.at(-1); },
});
const elements = {};
globalThis.document = {
  createElement: element,
  getElementById: (id) => (elements[id] ??= element()),
};
globalThis.EventSource = class { addEventListener() {} };
globalThis.fetch = async () => ({status: 304});
globalThis.setInterval = () => 0;
"""
CHECK = """
const event = (number) => ({
  id: `uid-${number}`, time: "", data: {model: "iris", version: "v1", state: "Failed"},
});
for (let number = 0; number < 10000; number++) { showEvent(event(number)); }
for (let number = 9900; number < 10000; number++) { showEvent(event(number)); }
console.log(JSON.stringify([shownIds.size, shownIds.has("uid-9999"), events.children.length]));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_page_remembers_limited_number_of_events() -> None:
    result = subprocess.run(
        ["node", "-"],
        input=BROWSER + SCRIPT.read_text().replace('"use strict";', "") + CHECK,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(result.stdout) == [4096, True, 200]
