"""Similar images of other cases among 277,524 vectors, exactly and by the optional index, against scikit-learn.

    python benchmarks/similar_images.py

The vectors are synthetic, float32 of 384 and of 1280 components, of 279 cases as in IDC: each case has a centre of its
own, each class an effect, and the standard deviation falls along the axes as it does for encoders. 512 of them are the
queries; their own cases are left out. Both kinds of search read the vectors from a file. The peer is the brute force of
`NearestNeighbors`, which leaves out no case. Each side runs in a process of its own, so that its peak of memory is its
own: the memory that it allocates above what it had when the data were opened, without the pages of files, which the
operating system can drop. Ratios are of processor time. The recall is the share of the five nearest images that the
index finds too.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from harness import run_in_new_process, write_result

ROWS, CASES, QUERIES, COUNT = 277_524, 279, 512, 5
WIDTHS = (384, 1280)
SIDES = ("exact", "index", "sklearn")


class AllocatedMemory:
    """The memory that this process allocates within the block, in MB: `peak` above that at its start."""

    def __enter__(self) -> AllocatedMemory:
        self.peak, self._start, self._stopped = 0.0, self._now(), threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(0.005):
            self.peak = max(self.peak, self._now() - self._start)

    @staticmethod
    def _now() -> float:
        import psutil

        memory = psutil.Process().memory_info()
        # Pages of mapped files are shared memory.
        return (memory.rss - memory.shared) / 1e6


def write_vectors(path: Path, rows: int, width: int) -> np.ndarray:
    """Write vectors (rows, width) of cases and classes, and return the case of each."""
    generator = np.random.default_rng(0)
    case = np.sort(generator.integers(0, CASES, rows))
    label = generator.random(rows) < generator.beta(2, 5, CASES)[case]
    spread = (np.arange(1, width + 1) ** -0.5).astype(np.float32)
    of_case = generator.standard_normal((CASES, width), np.float32) * np.float32(0.7)
    of_class = generator.standard_normal(width, np.float32)
    turn = np.linalg.qr(generator.standard_normal((width, width), np.float32))[0]
    stored = np.lib.format.open_memmap(path, "w+", np.float32, (rows, width))
    for start in range(0, rows, 20_000):
        part = slice(start, start + 20_000)
        noise = generator.standard_normal((len(case[part]), width), np.float32)
        stored[part] = ((noise + of_case[case[part]] + label[part, None] * of_class) * spread) @ turn
    stored.flush()
    return case


def measure(side: str, path: Path, cases: Path, found: Path) -> dict[str, Any]:
    """Search with one side in this process; the rows that it finds are written."""
    import pandas as pd
    from sklearn.neighbors import NearestNeighbors

    from breastcls.features import ImageIndex, index_images, load_embeddings

    case = np.load(cases)
    table = pd.DataFrame({"path": [f"{n}.png" for n in range(len(case))], "case": [f"case {one}" for one in case]})
    data = load_embeddings(table, path, classes=())
    chosen = np.unique(np.linspace(0, len(data) - 1, QUERIES).round().astype(int))
    queries = data[chosen]
    result: dict[str, Any] = {}

    def timed(name: str, work: Any) -> Any:
        with AllocatedMemory() as memory:
            began, used = time.perf_counter(), time.process_time()
            made = work()
            seconds, processor = time.perf_counter() - began, time.process_time() - used
        result[name] = {
            "seconds": round(seconds, 2),
            "processor_seconds": round(processor, 2),
            "peak_megabytes": round(memory.peak),
        }
        return made

    if side == "sklearn":
        peer = NearestNeighbors(algorithm="brute", metric="cosine")
        vectors = data.vectors
        assert vectors is not None
        timed("search", lambda: peer.fit(vectors).kneighbors(queries.vectors, COUNT))
        return result
    # The queries are images of the index, which is meant here.
    warnings.simplefilter("ignore")
    index = timed("build", lambda: index_images(data, kind="exact" if side == "exact" else "approximate"))
    if side == "index":
        folder = found.parent / "saved"
        timed("save", lambda: index.save(folder))
        index = timed("load", lambda: ImageIndex.load(folder))
        result["lists_megabytes"] = round((folder / "index.faiss").stat().st_size / 1e6)
    similar = timed("search", lambda: index.search(queries, COUNT))
    timed("search_one", lambda: index.search(queries[:1], COUNT))
    names = np.array([int(Path(name).stem) for name in similar.found.paths])
    rows = names[similar.neighbours]
    assert not (case[rows] == case[chosen, None]).any()
    np.save(found, rows)
    return result


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--rows", type=int, default=ROWS, help="fewer, to try the script")
    parser.add_argument("--measure", nargs=4, metavar=("SIDE", "VECTORS", "CASES", "FOUND"))
    arguments = parser.parse_args()
    if arguments.measure:
        side, *files = arguments.measure
        print(json.dumps(measure(side, *map(Path, files))))
        return
    rows: dict[str, Any] = {}
    for width in WIDTHS:
        with tempfile.TemporaryDirectory() as folder:
            vectors, cases = Path(folder, "vectors.npy"), Path(folder, "cases.npy")
            np.save(cases, write_vectors(vectors, arguments.rows, width))
            sides = {
                side: run_in_new_process(__file__, "--measure", side, vectors, cases, Path(folder, f"{side}.npy"))
                for side in SIDES
            }
            exact, index = (np.load(Path(folder, f"{side}.npy")) for side in ("exact", "index"))
        recall = float(np.mean([len(set(one) & set(other)) / COUNT for one, other in zip(exact, index, strict=True)]))
        # Of processor time: the sides do not run in turns, so that another process would be in one of them only.
        used = {side: values["search"]["processor_seconds"] for side, values in sides.items()}
        rows[f"components_{width}"] = {
            "vectors_megabytes": round(arguments.rows * width * 4 / 1e6),
            **sides,
            "recall": round(recall, 4),
            "ratios": {
                "exact/sklearn": round(used["sklearn"] / used["exact"], 2),
                "index/exact": round(used["exact"] / used["index"], 2),
            },
        }
        print(width, json.dumps(rows[f"components_{width}"]))
    what = f"{QUERIES} queries among {arguments.rows} images of {CASES} cases, {COUNT} nearest of other cases, cosine"
    write_result("similar_images", {"what": what, **rows}, arguments.output)


if __name__ == "__main__":
    main()
