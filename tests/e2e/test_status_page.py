"""The live page in a real browser, on a screen and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import requests
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.support import local_stack, versions
from tests.support.browser import chromium
from tests.support.local_stack import FRONT_DOOR

SCREEN, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=375, height=667)
LEAST_CONTRAST = 4.5
"""WCAG 2.2, level AA, for text of this size."""

CONTRASTS = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255)
      .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = rgb(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] === 1) { return found; }
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const holder = node.parentElement;
    const hidden = !holder.checkVisibility() || holder.tagName === "NOSCRIPT";
    if (hidden || !node.data.trim()) { continue; }
    const [one, other] = [light(rgb(getComputedStyle(holder).color)), light(ground(holder))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    found.push([ratio, holder.className + ": " + node.data.trim().slice(0, 40)]);
  }
  return found;
}"""


@dataclass
class Opened:
    """The page, and what went over the network and to the console meanwhile."""

    page: Page
    requests_sent: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as chromium_browser:
        yield chromium_browser


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(browser: Browser, size: ViewportSize, scheme: str = "light") -> Opened:
    context = browser.new_context(
        viewport=size,
        has_touch=size is PHONE,
        color_scheme="dark" if scheme == "dark" else "light",
    )
    opened_page = Opened(context.new_page())
    opened_page.page.on("request", lambda request: opened_page.requests_sent.append(request.url))
    opened_page.page.on("console", lambda message: opened_page.complaints.append(message.text))
    opened_page.page.on("pageerror", lambda error: opened_page.complaints.append(str(error)))
    opened_page.page.goto(f"{FRONT_DOOR}/status/")
    expect(opened_page.page.get_by_role("status")).to_contain_text("models")
    return opened_page


@pytest.mark.parametrize("size", [SCREEN, PHONE], ids=["screen", "phone"])
def test_it_shows_every_version_and_every_split(browser: Browser, size: ViewportSize) -> None:
    opened_page = opened(browser, size)
    for model in requests.get(f"{FRONT_DOOR}/status/models", timeout=5).json()["models"]:
        card = opened_page.page.get_by_role("article", name=model["model"], exact=True)
        expect(card.get_by_role("heading", name=model["model"])).to_be_visible()
        for version in model["versions"]:
            row = card.get_by_role("row").filter(
                has=opened_page.page.get_by_role("rowheader", name=version["version"], exact=True)
            )
            expect(row).to_contain_text(version["state"])
            expect(row).to_contain_text(f"of {version['replicas']['desired']} ready")
        for route in model["routes"]:
            spoken = ", ".join(f"{name} {share} %" for name, share in route["weights"].items())
            expect(card.get_by_role("img", name=f"{route['route']}: {spoken}")).to_be_visible()
    wide = opened_page.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert not wide, "the page scrolls sideways"
    assert [
        url
        for url in opened_page.requests_sent
        if not url.startswith((f"{FRONT_DOOR}/status/", "data:"))
    ] == []
    assert opened_page.complaints == []


def test_a_change_appears_by_itself(browser: Browser) -> None:
    opened_page = opened(browser, PHONE)
    log = opened_page.page.get_by_role("log")
    with versions.cleaned_up("echo", "v98"):
        versions.put("echo", "v98", versions.RUNS)
        card = opened_page.page.get_by_role("article", name="echo", exact=True)
        row = card.get_by_role("row").filter(
            has=opened_page.page.get_by_role("rowheader", name="v98", exact=True)
        )
        expect(row).to_contain_text("Available", timeout=60_000)
        expect(log.get_by_role("listitem").first).to_contain_text("echo v98")
        versions.put("echo", "v98", versions.CRASHES)
        expect(row).to_contain_text("Failed", timeout=90_000)
        expect(row).to_contain_text("exited with code 3")
        expect(row).to_contain_text("the weights are of another flower")
        expect(opened_page.page.get_by_role("status")).to_contain_text("1 failed")
    expect(row).to_have_count(0, timeout=10_000)
    expect(log.get_by_role("listitem").first).to_contain_text("Deleted")


def test_it_is_used_by_the_keyboard_alone(browser: Browser) -> None:
    page = opened(browser, SCREEN).page
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the events")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("log", name="Events, newest first")).to_be_visible()


def test_what_a_screen_reader_needs_is_there(browser: Browser) -> None:
    page = opened(browser, SCREEN).page
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title() == "Models: status"
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.get_by_role("banner")).to_have_count(1)
    assert [page.get_by_role("heading", level=level).count() > 0 for level in (1, 2, 3)] == [
        True
    ] * 3
    expect(page.get_by_role("columnheader", name="State").first).to_be_attached()


def test_all_text_stands_out_from_its_ground(browser: Browser, scheme: str) -> None:
    page = opened(browser, SCREEN, scheme).page
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 10
    assert [contrast for contrast in contrasts if contrast[0] < LEAST_CONTRAST] == []


def test_it_says_so_when_nobody_answers(browser: Browser) -> None:
    page = opened(browser, SCREEN).page
    page.context.set_offline(True)
    expect(page.get_by_role("alert")).to_contain_text("No connection", timeout=15_000)
    assert page.get_by_role("article").count() == len(
        requests.get(f"{FRONT_DOOR}/status/models", timeout=5).json()["models"]
    )
    page.context.set_offline(False)
    expect(page.get_by_role("alert")).to_be_hidden(timeout=15_000)


def test_the_stack_shows_no_more_than_before(browser: Browser) -> None:
    """The tests above deleted their versions and records."""
    assert "echo-v98" not in {item["metadata"]["name"] for item in local_stack.objects("leases")}
