"""A real browser, and JupyterLab with a live kernel."""

import os
import shutil

import pytest

from tests.browser.lab import running_lab

REQUIRED = os.environ.get("ATTNVIZ_BROWSER") == "required"
NAMES = ("chromium", "chromium-browser", "google-chrome")


def _missing(what):
    if REQUIRED:
        pytest.fail(f"ATTNVIZ_BROWSER=required, but {what}")
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser():
    """Chromium, as it is installed."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        _missing("there is no chromium (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        _missing("playwright is not installed (the dev extra has it)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page whose errors fail the test."""
    context = browser.new_context(viewport={"width": 1500, "height": 1000}, accept_downloads=True)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory):
    """A running JupyterLab: its address and its folder."""
    pytest.importorskip("jupyterlab")
    folder, home = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("home")
    with running_lab(folder, home) as address:
        yield address, folder
