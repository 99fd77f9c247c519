"""The viewer in headless Chromium: what it draws, its controls and keys, and that it makes no requests."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.explanation.explain import explain
from breastcls.explanation.viewer.write_viewer import write_viewer
from support.page_in_browser import NEEDS_CHROMIUM, open_browser
from support.platforms import POSIX

pytestmark = [pytest.mark.slow, POSIX, NEEDS_CHROMIUM]

CANVASES = "[...document.querySelectorAll('.cards canvas')]"
# The mean colour of a canvas, once it is drawn.
COLOUR = """new Promise((done) => {
  const look = () => {
    const canvas = document.querySelectorAll('.cards canvas')[%d];
    if (!canvas.dataset.drawn) { requestAnimationFrame(look); return; }
    const copy = document.createElement('canvas');
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const context = copy.getContext('2d', {willReadFrequently: true});
    context.drawImage(canvas, 0, 0);
    const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
    const sum = [0, 0, 0];
    for (let at = 0; at < data.length; at += 1) { if (at %% 4 < 3) { sum[at %% 4] += data[at]; } }
    done(sum.map((one) => 4 * one / data.length));
  };
  setTimeout(look, 200);
})"""


@pytest.fixture(scope="module")
def explained(blue_squares, tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewer")
    paths = [str(folder / f"{number}.png") for number in range(4)]
    for path, image in zip(paths, blue_squares.images, strict=True):
        cv2.imwrite(path, cv2.resize(image[..., ::-1], (96, 64), interpolation=cv2.INTER_NEAREST))
    labels = ["none", "square", "none", "square"]
    data = Dataset.from_columns(("none", "square"), path=paths, label=labels, case=["b", "a", "a", "b"])
    made = [explain(blue_squares.model, data, method, target_class=1) for method in ("grad-cam", "hires-cam")]
    share = np.array([0.02, 1, 1, 1], np.float32)
    predicted = np.array([1, 1, 0, 1])
    return [replace(one, positive_share=share, predicted=predicted) for one in made]


@pytest.fixture(scope="module")
def page_file(explained, tmp_path_factory):
    return write_viewer(explained, tmp_path_factory.mktemp("page") / "viewer.html")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser, page_file):
    browser.open(page_file.as_uri())
    yield browser
    assert browser.errors == []
    assert browser.asked == [page_file.as_uri()]


def names(page):
    return page.evaluate("[...document.querySelectorAll('.cards .file')].map((one) => one.textContent)")


def status(page):
    return page.evaluate("document.querySelector('[role=status]').textContent")


def test_maps_are_drawn_by_their_share_and_the_slider(page):
    """The heat-map of the first image has little evidence; those of the others change the picture."""
    drawn = np.array([page.evaluate(COLOUR % number) for number in range(4)])
    page.press("o")
    assert status(page) == "Heat-map: off"
    plain = np.array([page.evaluate(COLOUR % number) for number in range(4)])
    change = np.abs(drawn - plain).sum(axis=1)
    assert change[0] < 0.15 * change[1:].min()
    page.press("o")
    page.evaluate("""const slider = document.querySelector('input[type=range]'); slider.value = 0;
        slider.dispatchEvent(new Event('input'))""")
    np.testing.assert_allclose([page.evaluate(COLOUR % 1)], [plain[1]], atol=0.5)


def test_keys_change_method_sorting_and_zoom_of_all_images(page):
    page.press("m")
    assert status(page) == "Method: HiResCAM"
    assert page.evaluate("document.querySelector('.cards canvas').getAttribute('aria-label')").count("HiResCAM") == 1
    page.press("s")
    assert names(page)[0] == "0.png"  # The one that is misclassified.
    assert status(page) == "Sorted: errors first"
    page.press("+")
    before = page.evaluate(COLOUR % 2)
    outputs = "[...document.querySelectorAll('.toolbar output')].map((one) => one.textContent)"
    assert page.evaluate(outputs) == ["60%", "1.5×"]
    assert page.evaluate("document.querySelector('[data-viewer]').classList.contains('zoomed')")
    page.press("0")
    assert not page.evaluate("document.querySelector('[data-viewer]').classList.contains('zoomed')")
    assert np.abs(np.subtract(page.evaluate(COLOUR % 2), before)).sum() > 0.5


def test_a_method_without_the_class_changes_the_class_too_and_unknown_labels_are_no_errors(
    browser, explained, tmp_path
):
    grad_cam, hires = (replace(one, source=replace(one.source, labels=None)) for one in explained)
    of_predicted = replace(hires, targets=hires.predicted)
    browser.open(write_viewer([grad_cam, of_predicted], tmp_path / "viewer.html").as_uri())
    browser.press("m")
    assert status(browser) == "Method: HiResCAM, Class explained: predicted class"
    selected = "[...document.querySelectorAll('.toolbar select')].slice(0, 2).map((one) => one.value)"
    assert browser.evaluate(selected) == ["HiResCAM", "predicted class"]
    assert browser.evaluate(f"{CANVASES}.every((one) => one.getAttribute('aria-label').includes('HiResCAM'))")
    browser.press("v")
    assert status(browser) == "Model: there is only one"
    browser.press("s")
    assert status(browser) == "Sorted: probability of square"
    assert browser.errors == []


def test_images_are_sorted_by_case(page):
    choose = """const sort = [...document.querySelectorAll('select')].find((one) => [...one.options].some(
        (option) => option.value === '{0}')); sort.value = '{0}'; sort.dispatchEvent(new Event('change'))"""
    page.evaluate(choose.replace("{0}", "case"))
    assert names(page) == ["1.png", "2.png", "0.png", "3.png"]


def test_an_image_is_enlarged_and_closed_by_key_and_the_focus_returns(page):
    page.evaluate("document.querySelectorAll('.open')[1].focus()")
    page.press("Enter")
    assert page.evaluate("document.querySelector('dialog').open")
    assert page.evaluate("document.querySelectorAll('dialog canvas').length") == 3
    assert page.evaluate("document.querySelector('dialog .place').textContent") == "2 of 4"
    page.press("ArrowRight")
    assert page.evaluate("document.querySelector('dialog .file').textContent") == "2.png"
    page.press("Escape")
    # The browser returns the focus itself, and the event that the dialog was closed follows later.
    focus = """new Promise((done) => {
      const look = (left) => {
        const name = document.activeElement?.getAttribute('aria-label') ?? '';
        if (left === 0 || name === 'Enlarge 2.png') { done(name); } else { setTimeout(look, 50, left - 1); }
      };
      look(100);
    })"""
    assert page.evaluate(focus) == "Enlarge 2.png"
    assert not page.evaluate("document.querySelector('dialog').open")


@pytest.mark.parametrize("width", [320, 390])
def test_it_fits_a_phone(browser, page_file, width):
    browser.open(page_file.as_uri(), width=width, height=700)
    for step in ("0", "document.querySelector('.more').open = true", "document.querySelector('.open').click()"):
        browser.evaluate(step)
        assert browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert browser.evaluate("document.querySelector('dialog').scrollWidth") <= width


def test_every_control_has_a_name(page):
    unnamed = """[...document.querySelectorAll('button, select, input')].filter((one) => !(
        one.getAttribute('aria-label') || one.textContent.trim() || one.closest('label')?.textContent.trim()
    )).length"""
    assert page.evaluate(unnamed) == 0
    assert page.evaluate(f"{CANVASES}.every((one) => one.getAttribute('aria-label').includes('predicted'))")
