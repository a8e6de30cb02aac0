"""The status page in a real browser, on a desktop and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import requests
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.support import local_stack, versions
from tests.support.browser import chromium
from tests.support.local_stack import ENTRY_POINT_URL

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
  const background = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) { return color; }
    }
    return [255, 255, 255];
  };
  const contrasts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const holder = node.parentElement;
    const hidden = !holder.checkVisibility() || holder.tagName === "NOSCRIPT";
    if (hidden || !node.data.trim()) { continue; }
    const text = light(rgb(getComputedStyle(holder).color));
    const back = light(background(holder));
    const ratio = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
    contrasts.push([ratio, holder.className + ": " + node.data.trim().slice(0, 40)]);
  }
  return contrasts;
}"""


@dataclass
class Opened:
    """A page with its network requests and console messages."""

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
    opened_page.page.goto(f"{ENTRY_POINT_URL}/status/")
    expect(opened_page.page.get_by_role("status")).to_contain_text("models")
    return opened_page


@pytest.mark.parametrize("size", [SCREEN, PHONE], ids=["screen", "phone"])
def test_page_shows_every_version_and_split(browser: Browser, size: ViewportSize) -> None:
    opened_page = opened(browser, size)
    for model in requests.get(f"{ENTRY_POINT_URL}/status/models", timeout=5).json()["models"]:
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
        if not url.startswith((f"{ENTRY_POINT_URL}/status/", "data:"))
    ] == []
    assert opened_page.complaints == []


def test_page_shows_change_without_reload(browser: Browser) -> None:
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


def test_page_is_usable_by_keyboard(browser: Browser) -> None:
    page = opened(browser, SCREEN).page
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the events")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("log", name="Events, newest first")).to_be_visible()


def test_page_has_roles_and_names_for_screen_readers(browser: Browser) -> None:
    page = opened(browser, SCREEN).page
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title() == "Models: status"
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.get_by_role("banner")).to_have_count(1)
    assert [page.get_by_role("heading", level=level).count() > 0 for level in (1, 2, 3)] == [
        True
    ] * 3
    expect(page.get_by_role("columnheader", name="State").first).to_be_attached()


def test_text_has_sufficient_contrast(browser: Browser, scheme: str) -> None:
    page = opened(browser, SCREEN, scheme).page
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 10
    assert [contrast for contrast in contrasts if contrast[0] < LEAST_CONTRAST] == []


def test_page_reports_unreachable_api(browser: Browser) -> None:
    page = opened(browser, SCREEN).page
    page.context.set_offline(True)
    expect(page.get_by_role("alert")).to_contain_text("No connection", timeout=15_000)
    assert page.get_by_role("article").count() == len(
        requests.get(f"{ENTRY_POINT_URL}/status/models", timeout=5).json()["models"]
    )
    page.context.set_offline(False)
    expect(page.get_by_role("alert")).to_be_hidden(timeout=15_000)


def test_page_tests_leave_no_version(browser: Browser) -> None:
    """The tests above deleted their versions and records."""
    assert "echo-v98" not in {item["metadata"]["name"] for item in local_stack.objects("leases")}
