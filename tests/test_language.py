"""The vocabulary: words that the project does not use, since the field has a standard term for each."""

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
# Word (a regular expression, matched as a whole word) and the term to use instead.
RETIRED = {
    r"strangers?": "out-of-distribution",
    r"yardsticks?": "baseline",
    r"doubts?": "uncertainty",
    r"caveats?": "limitations",
    r"keep in mind": "limitations",
    r"t(old|ell|ells|elling) (\w+ )?apart": "distinguish",
    r"h(ang|angs|ung) on": "depends on",
    r"claimed (less|and|minus) found": "calibration bias",
    r"taking up|take[- ]?up": "resume",
    # ROAD, "remove and debias", is the name of a measure.
    r"(?-i:[Rr]oads?)": "input mode",
    r"dealt|deals? (the|out|whole)|dealing out": "sharding, splitting",
    r"learnt": "learned, fitted or trained",
    r"squash\w*": "stretch",
    r"staircases?": "step function, layer",
    r"done again": "reproduced",
    r"contenders?": "model",
    r"draw tissue|drawn tissue": "generate synthetic images",
    r"taken? at (its|their) word": "calibrated",
    r"mean what they say": "calibration",
    r"whole or not at all": "atomically",
}
SUFFIXES = {".py", ".pyi", ".md", ".j2", ".js", ".css", ".yml", ".toml"}


def text_files() -> list[Path]:
    """Return every text file of the repository but this one and the licence."""
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [PROJECT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.suffix in SUFFIXES and path != Path(__file__).resolve() and path.is_file()]


def retired_words(text: str) -> list[str]:
    """Return the retired words of a text, names in code included."""
    spaced = re.sub(r"[_\s]+", " ", text)
    return [word for word in RETIRED if re.search(rf"(?<![A-Za-z])({word})(?![a-z])", spaced, re.IGNORECASE)]


def test_the_check_can_fail():
    assert retired_words("The model's doubt hangs\n    on the image.") == [r"doubts?", r"h(ang|angs|ung) on"]
    assert retired_words("def find_caveats(roads): ...") == [r"caveats?", r"(?-i:[Rr]oads?)"]
    assert retired_words("Uncertainty depends on the image, in broad terms; a broader road-map.") == [
        r"(?-i:[Rr]oads?)"
    ]


def test_no_file_uses_a_retired_word():
    found = {}
    for path in text_files():
        words = retired_words(path.read_text(encoding="utf-8"))
        if words:
            found[path.relative_to(PROJECT).as_posix()] = words
    assert found == {}, "; ".join(f"{word} -> {term}" for word, term in RETIRED.items())
