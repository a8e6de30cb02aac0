"""Debian's chromium, driven by Playwright: nothing is downloaded."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

from local.build import apt


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window, while the block runs."""
    apt.install(apt.TEST_PACKAGES)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()
