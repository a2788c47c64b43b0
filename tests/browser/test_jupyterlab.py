"""The explorer in JupyterLab with a live kernel, and in a notebook that was exported."""

import json
import re
import subprocess
import sys

import pytest

from tests.browser.lab import notebook, open_notebook, python

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab(browser, jupyterlab):
    """A notebook whose cells have run: two cells side by side, and another view of the same."""
    address, folder = jupyterlab
    (folder / "explorer.ipynb").write_text(
        notebook(
            "import attnviz\nexplorer = attnviz.Explorer(['rra-imdb', 'larnn-imdb'])\nexplorer",
            "explorer",
        )
    )
    context = browser.new_context(viewport={"width": 1500, "height": 2400})
    page = context.new_page()
    open_notebook(page, address, "explorer.ipynb", views=2)
    yield page
    context.close()


def first(page):
    return page.locator(".attnviz").first


def test_a_click_is_known_in_python_and_the_other_way_round(lab):
    words = first(lab).locator(".av-panel").first.locator("[role=option]")
    words.nth(12).click()
    lab.wait_for_function(
        "() => [...document.querySelectorAll('.attnviz')].every(e =>"
        " e.querySelectorAll('.av-panel [role=option]')[12].matches('[aria-selected=true]'))"
    )
    assert python(lab, "print(explorer.timestep)") == "12"
    python(lab, "explorer.timestep = 20")
    lab.wait_for_function(
        "() => document.querySelectorAll('.attnviz .av-panel [role=option]')[20]"
        ".getAttribute('aria-selected') === 'true'"
    )


def test_a_sentence_is_typed_and_read(lab):
    box = first(lab).locator("textarea")
    box.fill("Not a good film at all, but the music was wonderful.")
    lab.wait_for_function(
        "() => document.querySelector('.attnviz .av-panel').textContent.includes('the music')"
    )
    told = json.loads(
        python(
            lab,
            "import json; print(json.dumps([explorer.sequence, explorer.sentence, "
            "[float(max(p.prediction)) for p in explorer.panels]]))",
        )
    )
    assert told[0] == -1
    assert told[1].startswith("Not a good film")
    facts = first(lab).locator(".av-panel").all_inner_texts()
    for probability, text in zip(told[2], facts, strict=True):
        assert f"({probability:.2f})" in text


def test_words_that_stay_while_one_is_typed_stay_as_they_are(lab):
    box = first(lab).locator("textarea")
    listed = "() => document.querySelector('.attnviz .av-words')"
    shows = f"t => ({listed})().textContent === t"
    box.fill("It was (as they say) a good fil")
    lab.wait_for_function(shows, arg="It was (as they say) a good fil")
    lab.evaluate(f"() => {{ window.kept = [...({listed})().childNodes]; }}")
    changed = f"() => [...({listed})().childNodes].map((one, i) => one !== window.kept[i])"
    box.fill("It was (as they say) a good film")
    lab.wait_for_function(shows, arg="It was (as they say) a good film")
    told = lab.evaluate(changed)
    assert told == [False] * (len(told) - 1) + [True]
    box.fill("It was")
    lab.wait_for_function(shows, arg="It was")
    assert lab.evaluate(changed) == [False] * 3
    box.fill("It was, as they say, a film.")
    lab.wait_for_function(shows, arg="It was, as they say, a film.")
    numbers = f"() => [...({listed})().querySelectorAll('[data-t]')].map(e => Number(e.dataset.t))"
    assert lab.evaluate(numbers) == list(range(10))


def test_a_lag_is_switched_off_and_the_prediction_changes(lab):
    first(lab).locator("summary").first.click()
    first(lab).get_by_label(re.compile("^lag 3$|^3$")).first.uncheck()
    lab.wait_for_function(
        "() => document.querySelector('.attnviz').innerText.includes('lag 3 off')"
    )
    code = (
        "import json; print(json.dumps([[max(p.edited.prediction), max(p.edited.unedited)] "
        "for p in explorer.panels]))"
    )
    told = json.loads(python(lab, code))
    texts = first(lab).locator(".av-panel").all_inner_texts()
    for (after, before), text in zip(told, texts, strict=True):
        assert after != before
        assert f"{after:.2f}" in text
    python(lab, "explorer.edits = {}")
    lab.wait_for_function(
        "() => !document.querySelector('.attnviz').innerText.includes('lag 3 off')"
    )


def test_gradients_and_influence_follow_when_they_are_ready(lab):
    python(lab, "explorer.sequence = 1")
    told = "print([t.name for t in explorer.panels[0].tracks])"
    for _ in range(120):
        if "gradient" in python(lab, told):
            break
        lab.wait_for_timeout(250)
    assert "gradient" in python(lab, told)
    lab.wait_for_function("() => !document.querySelector('.attnviz .av-busy').innerText.trim()")
    python(lab, "explorer.timestep, explorer.lens = 5, 'influence'")
    lab.wait_for_function(
        "() => /replacement influence/.test(document.querySelector('.attnviz').innerText)"
    )
    for _ in range(120):
        if python(lab, "print(list(explorer.panels[1].lens('influence').at))") == "[5]":
            break
        lab.wait_for_timeout(250)
    assert python(lab, "print(len(explorer.sources()))") == "6"
    python(lab, "explorer.lens = 'attention'")


def test_what_cannot_be_read_is_said(lab):
    first(lab).locator("textarea").fill("   ")
    alert = first(lab).locator(".av-error")
    lab.wait_for_function("e => e.innerText.includes('Type a word')", arg=alert.element_handle())
    first(lab).locator("textarea").fill("Good again.")
    lab.wait_for_function("e => !e.innerText.trim()", arg=alert.element_handle())


def test_heads_are_fetched_when_they_are_looked_at(lab):
    python(lab, "explorer.sequence, explorer.cell, explorer.timestep = 2, 'larnn-imdb', 15")
    first(lab).get_by_role("combobox", name=re.compile("head")).select_option(label="head 2")
    expected = python(lab, "print(f'{explorer.sources().iloc[0, 3]:.4f}')")
    panel = first(lab).locator(".av-panel").nth(1)
    lab.wait_for_function(
        "([e, t]) => e.innerText.includes(t)", arg=[panel.element_handle(), expected]
    )
    assert python(lab, "print(explorer.head)") == "2"


def test_no_two_things_share_an_id(lab):
    ids = lab.evaluate("() => [...document.querySelectorAll('.attnviz [id]')].map(e => e.id)")
    assert ids
    assert len(ids) == len(set(ids))


def test_a_saved_notebook_shows_it_when_exported(lab, jupyterlab, browser, tmp_path):
    _, folder = jupyterlab
    lab.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    saved = folder / "explorer.ipynb"
    for _ in range(80):
        if "srcdoc" in saved.read_text():
            break
        lab.wait_for_timeout(250)
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", str(tmp_path)]
    subprocess.run([*command, str(saved)], check=True, capture_output=True, timeout=120)
    context = browser.new_context(offline=True, viewport={"width": 1500, "height": 2000})
    page = context.new_page()
    page.goto((tmp_path / "explorer.html").as_uri())
    frame = page.frame_locator("iframe").first
    word = frame.locator("[role=option]").nth(7)
    word.click()
    word.and_(frame.locator("[aria-selected=true]")).wait_for()
    assert frame.locator(".av-panel").count() == 2
    assert "gradient norm" in frame.locator(".av-panel canvas[role=img]").first.get_attribute(
        "aria-label"
    )
    context.close()
