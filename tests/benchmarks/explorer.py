"""How fast the explorer answers: `python -m tests.benchmarks.explorer`.

From the key that is pressed to the picture, in JupyterLab with a live kernel; and a page of 2,000
words with 27 heads and a window of 38, from disk.
"""

import argparse
import platform
import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np

import attnviz
from attnviz.explorer.opening import shelf_of
from attnviz.explorer.page import write_page
from attnviz.explorer.session import Session
from tests.browser.lab import notebook, open_notebook, running_lab

WORDS = "It is a truth that a dull film in want of a plot must be in possession of money and stars"
# From the key to the end of the frame in which every panel shows the new text.
KEY_TO_PICTURE = """text => new Promise(done => {
  const box = document.querySelector('.attnviz textarea');
  const panels = () => [...document.querySelectorAll('.attnviz .av-panel')];
  const shows = () => panels().every(p => p.textContent.includes(text.slice(-40)));
  const painted = new MessageChannel();
  painted.port1.onmessage = () => done(performance.now() - start);
  const watching = new MutationObserver(() => {
    if (!shows()) return;
    watching.disconnect();
    painted.port2.postMessage(0);
  });
  watching.observe(document.querySelector('.attnviz'), {
    childList: true, characterData: true, subtree: true,
  });
  box.value = text;
  const start = performance.now();
  box.dispatchEvent(new Event('input', {bubbles: true}));
})"""
STEP = """() => new Promise(done => {
  const words = document.querySelector('.attnviz [role=listbox].av-words, .attnviz .av-words');
  const times = [];
  const press = left => {
    if (!left) return done(times);
    const start = performance.now();
    words.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
    requestAnimationFrame(() => requestAnimationFrame(() => {
      times.push(performance.now() - start);
      press(left - 1);
    }));
  };
  press(60);
})"""


def typed(page, address: str, folder: Path, rounds: int) -> None:
    """Prints the time from key to picture for each model of reviews that ships."""
    for name in attnviz.shipped_models(task="imdb"):
        source = f"import attnviz\nexplorer = attnviz.Explorer({name!r})\nexplorer"
        (folder / f"{name}.ipynb").write_text(notebook(source))
        open_notebook(page, address, f"{name}.ipynb", views=1)
        page.wait_for_timeout(3000)
        for count in (100, 400):
            words = (WORDS.split() * 30)[:count]
            times = []
            for number in range(rounds):
                text = " ".join([*words[:-3], "round", str(number), "of", str(count), "words"])
                times.append(page.evaluate(KEY_TO_PICTURE, text))
                page.wait_for_timeout(2500)
            told = f"{statistics.median(times):.0f} ms ({min(times):.0f}-{max(times):.0f})"
            print(f"key to picture, {name}, {count} words: {told}", flush=True)
        page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        page.evaluate("window.jupyterapp.commands.execute('kernelmenu:shutdown')")
        page.wait_for_timeout(500)


def large(page, folder: Path) -> None:
    """Prints how long a page of 2,000 words takes to open, and to move by a word."""
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(38), size=(1, 2000, 27))
    tokens = [(WORDS.split() * 101)[:2000]]
    trace = attnviz.from_arrays(weights, tokens=tokens, lags=range(1, 39))
    path = write_page(Session(shelf_of(trace), changed=lambda: None), folder / "large.html")
    page.goto(path.as_uri())
    page.wait_for_selector(".attnviz canvas")
    opened = page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() =>"
        " done(performance.now()))))"
    )
    print(f"2,000 words, 27 heads, window 38: {path.stat().st_size / 1e6:.1f} MB")
    print(f"  opens in {opened:.0f} ms (from navigation to the second frame after drawing)")
    page.locator(".av-panel [role=option]").nth(900).click()
    times = sorted(page.evaluate(STEP))
    print(f"  a step: {statistics.median(times):.0f} ms (95 %: {times[57]:.0f} ms), two frames")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--page", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    print(
        f"Python {platform.python_version()}, {platform.machine()}, two processes share the cores"
    )
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder, home = Path(place) / "lab", Path(place) / "home"
        folder.mkdir()
        home.mkdir()
        found = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 1200})
        if options.page:
            large(page, folder)
        with running_lab(folder, home) as address:
            typed(page, address, folder, options.rounds)
        browser.close()


if __name__ == "__main__":
    main()
