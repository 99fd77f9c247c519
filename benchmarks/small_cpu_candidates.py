"""Every configuration of `small_cpu.py`: which features, which classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Names = tuple[str, ...]


@dataclass(frozen=True)
class Candidate:
    """One configuration.

    Attributes:
        group: What kind of features it has.
        members: One set of features a member; the decision values of several members are averaged.
        head: "logistic" or "svm" (RBF kernel); features are standardised, classes count alike.
        c: C of the classifier.
        gamma: Of the kernel, times the number of features.
        views: From the name of a feature to that of the same feature of another view of the images, to train on too.
        eligible: Whether the nested choice may take it. What sees colour alone may not: it is a control.
    """

    group: str
    members: tuple[Names, ...]
    head: str = "logistic"
    c: float = 0.003
    gamma: float = 1.0
    views: tuple[Callable[[str], str], ...] = ()
    eligible: bool = True


def _blocks(pictures: str, blocks: tuple[int, ...]) -> Names:
    return tuple(f"mobilenet {picture} {block}" for picture in pictures.split("+") for block in blocks)


def _smaller(name: str) -> str:
    return name.replace(" H ", " H*0.8 ").replace(" E ", " E*0.8 ")


def _larger(name: str) -> str:
    return name.replace(" H ", " H*1.25 ").replace(" E ", " E*1.25 ")


_FIRST, _MORE = (2, 3, 4), (1, 2, 3, 4, 5, 6)


def _make() -> dict[str, Candidate]:
    table = {
        "colour, svm": Candidate("colour", (("colour",),), "svm", 1.0, eligible=False),
        "colour, logistic": Candidate("colour", (("colour",),), c=0.01, eligible=False),
        "optical density, svm": Candidate("colour", (("density",),), "svm", 1.0, eligible=False),
        "optical density, logistic": Candidate("colour", (("density",),), c=0.01, eligible=False),
    }
    classical = (
        "pftas", "pftas half", "pftas reinhard", "pftas macenko", "pftas H+E", "pftas grey", "lbp rgb", "lbp H+E",
        "glcm rgb", "glcm H+E", "filter bank H+E", "filter bank macenko",
    )  # fmt: skip
    for name in classical:
        table[f"{name}, svm"] = Candidate("classical texture", ((name,),), "svm", 1.0)
        table[f"{name}, logistic"] = Candidate("classical texture", ((name,),), c=0.01)
    together = ("filter bank H+E", "lbp H+E", "glcm H+E")
    table["filter bank, lbp, glcm H+E, svm"] = Candidate("classical texture", (together,), "svm", 1.0)
    table["filter bank, lbp, glcm H+E, logistic"] = Candidate("classical texture", (together,), c=0.01)

    table["mobilenet raw, last block, logistic"] = Candidate("network, last block", (_blocks("raw", (13,)),), c=0.01)
    table["mobilenet macenko, last block, logistic"] = Candidate("network, last block", (_blocks("macenko", (13,)),))
    table["mobilenet H+E, last block, logistic"] = Candidate("network, last block", (_blocks("H+E", (13,)),))
    group = "network, first blocks"
    for picture in ("raw", "reinhard", "macenko", "macenko published", "macenko median", "H", "E"):
        table[f"mobilenet {picture}, blocks 2-4, logistic"] = Candidate(group, (_blocks(picture, _FIRST),))
        table[f"mobilenet {picture}, blocks 1-6, logistic"] = Candidate(group, (_blocks(picture, _MORE),))
    table["mobilenet raw, blocks 1-6, svm"] = Candidate(group, (_blocks("raw", _MORE),), "svm", 1.0)
    for c in (0.001, 0.003, 0.01, 0.03):
        table[f"mobilenet H+E, blocks 2-4, logistic C={c}"] = Candidate(group, (_blocks("H+E", _FIRST),), c=c)
        table[f"mobilenet H+E, blocks 1-6, logistic C={c}"] = Candidate(group, (_blocks("H+E", _MORE),), c=c)
    table["mobilenet H+E, blocks 1-11, logistic"] = Candidate(group, (_blocks("H+E", (*_MORE, 9, 11)),))
    table["mobilenet H+E, blocks 2-4, svm"] = Candidate(group, (_blocks("H+E", _FIRST),), "svm", 1.0, 0.1)
    for blocks, text in ((_FIRST, "2-4"), (_MORE, "1-6")):
        both = _blocks("macenko+H+E", blocks)
        table[f"mobilenet macenko+H+E, blocks {text}, logistic"] = Candidate(group, (both,))
    table["mobilenet H+E, blocks 2-4, zoomed views, logistic"] = Candidate(
        group, (_blocks("H+E", _FIRST),), views=(_smaller, _larger)
    )
    for pictures in ("raw", "macenko", "H+E"):
        names = tuple(f"squeezenet {picture}" for picture in pictures.split("+"))
        table[f"squeezenet {pictures}, first modules, logistic"] = Candidate(group, (names,))
    table["mobilenet and squeezenet H+E, averaged"] = Candidate(
        "averages", (_blocks("H+E", _FIRST), ("squeezenet H", "squeezenet E"))
    )
    table["mobilenet macenko and H+E, averaged"] = Candidate(
        "averages", (_blocks("macenko", _FIRST), _blocks("H+E", _FIRST))
    )
    for seed in (0, 1, 2):
        table[f"random filters macenko+H+E, seed {seed}, logistic C=0.03"] = Candidate(
            "random filters", ((f"random {seed}",),), c=0.03
        )
    table["random filters macenko+H+E, three averaged"] = Candidate(
        "random filters", (("random 0",), ("random 1",), ("random 2",)), c=0.03
    )
    return table


CANDIDATES = _make()
"""Configurations by name."""

_QUICK = (
    "colour, svm",
    "pftas, svm",
    "mobilenet raw, last block, logistic",
    "mobilenet macenko, blocks 2-4, logistic",
    "mobilenet H+E, blocks 2-4, logistic C=0.003",
    "random filters macenko+H+E, seed 0, logistic C=0.03",
)


def quick_candidates() -> dict[str, Candidate]:
    """A few of them."""
    return {name: CANDIDATES[name] for name in _QUICK}
