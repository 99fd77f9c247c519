"""Reading the names of an IDC tree of full size against merely listing it.

Both sides walk the same 277,524 empty files of 279 patients, in turns: `load_idc`, table included, and
`sorted(Path(root).rglob("*.png"))` alone. Names are all that is read; no image is opened.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness import ratio, run_in_turns, write_result

import breastcls as bc

PATIENTS, POSITIVE_SHARE = 279, 78_786 / 277_524


def make_tree(root: Path, files: int) -> None:
    """Make empty files under the official names."""
    for number in range(PATIENTS):
        patient = str(8863 + number)
        count = files // PATIENTS + (number < files % PATIENTS)
        for label in (0, 1):
            (root / patient / str(label)).mkdir(parents=True)
        for index in range(count):
            label = int(index < count * POSITIVE_SHARE)
            x, y = 50 * (index % 40) + 1, 50 * (index // 40) + 1
            (root / patient / str(label) / f"{patient}_idx5_x{x}_y{y}_class{label}.png").touch()


def main() -> None:
    """Make the tree, measure both sides in turns, write JSON."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_tree(root, 277_524)
        sides = {
            "load_idc": lambda: len(bc.load_idc(root)),
            "sorted rglob": lambda: len(sorted(root.rglob("*.png"))),
        }
        result = run_in_turns(sides, rounds=5)
    times = ratio(result, "load_idc", "sorted rglob")
    print(f"load_idc reads {times:.2f} times the files a second of sorted(rglob) alone (target: at least 1)")
    what = "277,524 file names of an IDC tree, the table included, against sorted(rglob) alone"
    write_result("idc_scan", {"what": what, "sides": result, "ratio": times, "target": 1.0, "met": times >= 1.0})


if __name__ == "__main__":
    main()
