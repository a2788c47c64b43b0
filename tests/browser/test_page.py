"""The explorer's page in a real browser, from disk, with the network off."""

import re

import numpy as np
import pytest

import attnviz
from attnviz.explorer.opening import shelf_of
from attnviz.explorer.page import write_page
from attnviz.explorer.session import Session
from attnviz.recording import Texts

HOSTILE = (
    'A <script>document.title = "hit"</script> <img src=x onerror="document.title=1"> & "so" '
    "<br /> 🎬🎬 cafe\u0301 שלום עולם \u202eevil\u202c " + "x" * 300 + " </script><!-- end."
)
SENTENCES = ["It drags at first, but what a wonderful ending: I left in tears.", HOSTILE]


@pytest.fixture(scope="module")
def session():
    model = attnviz.load_model("larnn-imdb")
    return Session(shelf_of(model, Texts(SENTENCES, labels=[1, 0])), changed=lambda: None)


@pytest.fixture
def opened(page, session, tmp_path):
    """The page, opened from disk; its errors, requests and policy violations fail the test."""
    path = write_page(session, tmp_path / "explorer.html")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    page.goto(path.as_uri())
    page.wait_for_selector(".attnviz [role=option]")
    yield page
    assert {url.split(":")[0] for url in asked} <= {"file", "blob", "data"}


def word(page, number):
    return page.locator("[role=option]").nth(number)


def chosen(page, number):
    """Waits until a word is the selected one: the view is drawn with the next frame."""
    page.wait_for_function(
        "n => document.querySelectorAll('[role=option]')[n].matches('[aria-selected=true]')",
        arg=number,
    )


def listed(page, title):
    """The rows of a reading list: words, lags and weights."""
    region = page.get_by_role("region", name=re.compile(title))
    rows = region.locator("tbody tr:visible")
    return [rows.nth(n).locator("td").all_inner_texts() for n in range(rows.count())]


def test_a_click_on_a_word_shows_what_the_trace_says(opened, session):
    panel = session.on_page([0])[0][0][0]
    lens = panel.lens("attention")
    word(opened, 8).click()
    chosen(opened, 8)
    values = lens.head(-1)[8]
    rows = listed(opened, "read$")
    shown = {
        int(row[1]): float(row[2].replace("−", "-").replace("+", "")) for row in rows if row[1]
    }
    assert len(shown) >= 8
    for lag, value in shown.items():
        assert value == pytest.approx(values[list(lens.sources).index(lag)], abs=6e-5)


def test_keys_walk_and_jump(opened, session):
    panel = session.on_page([0])[0][0][0]
    word(opened, 3).click()
    opened.keyboard.press("ArrowRight")
    chosen(opened, 4)
    opened.keyboard.press("Home")
    chosen(opened, 0)
    opened.keyboard.press("End")
    last = panel.length - 1
    chosen(opened, last)
    opened.keyboard.press("[")
    values = panel.lens("attention").head(-1)[last]
    strongest = last - panel.lens("attention").sources[int(np.nanargmax(np.abs(values)))]
    chosen(opened, strongest)


def test_the_screen_reader_hears_the_word_and_its_sources(opened):
    word(opened, 2).click()
    opened.keyboard.press("ArrowRight")
    live = opened.locator("[aria-live=polite].av-live")
    opened.wait_for_function("e => e.textContent.includes('word 4')", arg=live.element_handle())
    assert "lag" in live.inner_text()


def test_everything_that_can_be_pressed_has_a_name(opened):
    for role in ("button", "combobox", "checkbox", "listbox", "textbox"):
        found = opened.get_by_role(role)
        for n in range(found.count()):
            snapshot = found.nth(n).aria_snapshot()
            assert re.search(rf'{role} "', snapshot) or found.nth(n).inner_text().strip(), snapshot


def test_what_needs_a_model_is_absent_and_edits_made_beforehand_can_be_chosen(opened, session):
    assert opened.locator("textarea:visible").count() == 0
    panel = session.on_page([0])[0][0][0]
    variant = next(v for v in panel.variants if v.edits["lags"] == [1])
    select = opened.get_by_role("combobox", name=re.compile("edit"))
    select.select_option(label=variant.edited.label)
    told = f"{max(variant.edited.prediction):.2f}"
    opened.wait_for_function(
        "t => document.querySelector('.av-panel').innerText.includes(t)", arg=told
    )
    assert variant.edited.label in opened.locator(".av-panel").first.inner_text()


def test_hostile_text_is_shown_and_does_nothing(opened):
    opened.get_by_role("button", name=re.compile("next", re.I)).click()
    opened.wait_for_function("() => document.body.innerText.includes('onerror')")
    text = opened.locator("[role=listbox]").last.evaluate("e => e.textContent")
    assert text == HOSTILE
    assert opened.title() != "hit"
    assert opened.locator(".attnviz img, .attnviz script").count() == 0
    box = opened.locator(".av-panel").first.bounding_box()
    assert box["x"] + box["width"] <= 1500


WIDTHS = """wide => {
  const fits = (canvas, box) => canvas.width === Math.round(box.clientWidth * devicePixelRatio);
  const charts = [...document.querySelectorAll('.av-chart')];
  const bars = document.querySelector('.av-bars');
  return charts.every(one => fits(one.querySelector('canvas'), one))
    && fits(bars.querySelector('canvas'), bars)
    && wide === bars.clientWidth > 1000;
}"""


def test_pictures_are_as_wide_as_there_is_room_also_on_paper(opened):
    opened.wait_for_function(WIDTHS, arg=True)
    opened.set_viewport_size({"width": 700, "height": 1000})
    opened.wait_for_function(WIDTHS, arg=False)
    opened.set_viewport_size({"width": 1500, "height": 1000})
    opened.wait_for_function(WIDTHS, arg=True)
    opened.evaluate("() => { document.querySelector('.attnviz').style.width = '40rem'; }")
    opened.emulate_media(media="print")
    opened.wait_for_function(WIDTHS, arg=False)
    opened.emulate_media(media="screen")
    opened.evaluate("() => { document.querySelector('.attnviz').style.width = ''; }")
    opened.wait_for_function(WIDTHS, arg=True)


@pytest.mark.parametrize("kind", ["SVG", "PNG"])
def test_the_view_is_saved(opened, tmp_path, kind):
    word(opened, 8).click()
    with opened.expect_download() as waiting:
        opened.get_by_role("button", name=re.compile(kind)).click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    head = path.read_bytes()
    if kind == "PNG":
        assert head.startswith(b"\x89PNG")
        return
    import xml.etree.ElementTree as ET

    root = ET.fromstring(head)
    texts = " ".join(
        "".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")
    )
    assert "wonderful" in texts
    assert "running prediction" in texts


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(browser, session, tmp_path, scheme):
    path = write_page(session, tmp_path / "explorer.html")
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("[role=option]")
    word(page, 8).click()
    page.wait_for_timeout(200)
    pairs = page.evaluate(
        """() => [...document.querySelectorAll('[role=option]')].map(e => {
             const ground = e => getComputedStyle(e).backgroundColor;
             let behind = e;
             while (behind && /^rgba.*, 0\\)$|transparent/.test(ground(behind)))
               behind = behind.parentElement;
             return [getComputedStyle(e).color, behind ? ground(behind) : 'rgb(255, 255, 255)'];
           })"""
    )
    context.close()
    assert min(contrast(*pair) for pair in pairs) >= 4.5


def contrast(one, other):
    lights = sorted((luminance(one), luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def luminance(colour):
    parts = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
