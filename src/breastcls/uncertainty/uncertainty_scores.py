"""Uncertainty scores: one number per image, higher where the model is less certain.

Every score is registered with its paper, and what it needs: probabilities, logits, or the
predictions of each member of an ensemble or each transform of test-time augmentation. A score cannot be relied on
without a measurement, since a model can be confident on out-of-distribution images: `score_ood` measures how well a
score detects them, `risk_coverage` how well it ranks mistakes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import entr, logsumexp

from breastcls.errors import EvaluationError
from breastcls.models.log_probabilities import log_probabilities
from breastcls.models.probability_rule import decide
from breastcls.predictions.predictions import Predictions
from breastcls.registry import Registry

Floats = npt.NDArray[np.float64]
Needs = Literal["probabilities", "logits", "members"]


@dataclass(frozen=True)
class UncertaintyScore:
    """A score of uncertainty.

    Attributes:
        measure: From what it needs to float64 (n,), higher for less certain images.
        needs: "probabilities" or "logits", both (n, classes), or "members", probabilities (members, n, classes).
        paper: DOI, or arXiv number.
        words: What it is, in a few words.
    """

    measure: Callable[[Floats], Floats]
    needs: Needs
    paper: str
    words: str


def entropy(probabilities: Floats) -> Floats:
    """Return the entropy of each row in nats: 0 for certain rows, log(classes) for uniform probabilities.

    Example:
        >>> entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(4).tolist()
        [0.0, 0.6931]
    """
    return np.asarray(entr(probabilities).sum(axis=-1))


def lack_of_probability(probabilities: Floats) -> Floats:
    """Return one minus the highest probability of each row."""
    return np.asarray(1.0 - probabilities.max(axis=-1))


def lack_of_margin(probabilities: Floats) -> Floats:
    """Return one minus the distance between the two highest probabilities of each row."""
    two = np.partition(probabilities, -2, axis=-1)[..., -2:]
    return np.asarray(1.0 - (two[..., 1] - two[..., 0]))


def mutual_information(members: Floats) -> Floats:
    """Return the entropy of the mean less the mean of the entropies, in nats.

    It is 0 if all members give the same probabilities, however uncertain, and high if each is certain of another class:
    the part of the uncertainty that is due to the model (epistemic uncertainty).

    Example:
        >>> agree, contradict = [[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]]
        >>> mutual_information(np.array([agree, contradict]).transpose(1, 0, 2)).round(4).tolist()
        [0.0, 0.6931]
    """
    return np.asarray(np.maximum(entropy(members.mean(axis=0)) - entropy(members).mean(axis=0), 0.0))


def disagreement(members: Floats) -> Floats:
    """Return the fraction of members that predict another class than most: 0 where all agree."""
    votes = decide(members)
    counts = np.stack([(votes == index).sum(axis=0) for index in range(members.shape[-1])])
    return np.asarray(1.0 - counts.max(axis=0) / len(members))


def energy(logits: Floats) -> Floats:
    """Return the free energy of each row, -log(sum(exp(logits))): higher where no class gets a large logit."""
    return np.asarray(-logsumexp(logits, axis=-1))


def recover_logits(probabilities: Any) -> Floats:
    """Return the logits of probabilities, with a mean of 0 in each row.

    A softmax does not depend on a constant that is added to all logits of a row, and the energy depends mostly on it.
    So the energy of recovered logits is another score than that of the logits themselves. It is the mean logarithm of
    the probabilities; with two classes it orders images as their highest probability does, and adds nothing.

    Example:
        >>> recover_logits(np.array([[0.5, 0.5], [0.9, 0.1]])).round(3).tolist()
        [[0.0, 0.0], [1.099, -1.099]]
    """
    logarithms = log_probabilities(probabilities)
    return np.asarray(logarithms - logarithms.mean(axis=-1, keepdims=True))


UNCERTAINTY_SCORES: Registry[UncertaintyScore] = Registry("uncertainty score")
"""Every uncertainty score; another package adds its own with `register_uncertainty_score`."""


def register_uncertainty_score(name: str, score: UncertaintyScore) -> UncertaintyScore:
    """Register an uncertainty score by a name, and return it.

    Args:
        name: The name under which `score_predictions`, `score_members` and `score_ood` find it.
        score: The score.

    Raises:
        RegistryError: If the name is taken.
    """
    return UNCERTAINTY_SCORES.register(name, score)


def list_uncertainty_scores() -> tuple[str, ...]:
    """Return the names of all uncertainty scores.

    Example:
        >>> list_uncertainty_scores()[:2]
        ('max-probability', 'entropy')
    """
    return tuple(UNCERTAINTY_SCORES)


UNCERTAINTY_SCORES.register(
    "max-probability",
    UncertaintyScore(
        lack_of_probability, "probabilities", "arXiv:1610.02136", "one minus the probability of the most probable class"
    ),
)
UNCERTAINTY_SCORES.register(
    "entropy",
    UncertaintyScore(
        entropy, "probabilities", "10.1002/j.1538-7305.1948.tb01338.x", "Shannon entropy of the probabilities"
    ),
)
UNCERTAINTY_SCORES.register(
    "margin",
    UncertaintyScore(
        lack_of_margin, "probabilities", "10.1007/3-540-44816-0_31", "how near the second class comes to the first"
    ),
)
UNCERTAINTY_SCORES.register(
    "energy", UncertaintyScore(energy, "logits", "arXiv:2010.03759", "how small all logits are, whatever the class")
)
UNCERTAINTY_SCORES.register(
    "mutual-information",
    UncertaintyScore(
        mutual_information,
        "members",
        "arXiv:1112.5745",
        "mutual information of the class and the member or transform, in nats",
    ),
)
UNCERTAINTY_SCORES.register(
    "disagreement",
    UncertaintyScore(
        disagreement,
        "members",
        "arXiv:1703.02910",
        "fraction of members or transforms that predict another class than most",
    ),
)


def score_predictions(predictions: Predictions, name: str = "entropy") -> Floats:
    """Return a score of uncertainty for each row of predictions, float64 (n,), higher for less certain images.

    Args:
        predictions: Predictions of any model.
        name: A score of `list_uncertainty_scores` that needs no members. "energy" is computed from logits with a mean
            of 0, which are recovered from the probabilities.

    Raises:
        RegistryError: If there is no such score.
        EvaluationError: If it needs the members one by one.

    Example:
        >>> some = Predictions.from_arrays(probabilities=[0.5, 0.99], labels=None, classes=("benign", "malignant"))
        >>> score_predictions(some, "entropy").round(3).tolist()
        [0.693, 0.056]
    """
    score = UNCERTAINTY_SCORES[name]
    if score.needs == "members":
        raise EvaluationError(
            f"{name!r} needs the probabilities of each member or transform: `"
            f"score_members(predict_members(model, data, ...), {name!r})`."
        )
    wide = predictions.probabilities.astype(np.float64)
    return score.measure(recover_logits(wide) if score.needs == "logits" else wide)


def score_members(members: Any, name: str = "mutual-information") -> Floats:
    """Return an uncertainty score of the members' probabilities, float64 (n,), higher for less certain images.

    Args:
        members: Probabilities (members, n, classes), such as `predict_members` gives.
        name: A score of `list_uncertainty_scores`; one that needs no members is computed from their mean.

    Raises:
        RegistryError: If there is no such score.
        EvaluationError: If the array has another shape, or one member only where several are needed.

    Example:
        >>> members = np.array([[[0.9, 0.1]], [[0.1, 0.9]]])  # two members with opposite predictions
        >>> score_members(members, "disagreement").tolist()
        [0.5]
    """
    score = UNCERTAINTY_SCORES[name]
    wide = np.asarray(members, dtype=np.float64)
    if wide.ndim != 3:
        raise EvaluationError(f"`members` has shape {wide.shape}; expected (members, images, classes).")
    if score.needs != "members":
        mean = wide.mean(axis=0)
        return score.measure(recover_logits(mean) if score.needs == "logits" else mean)
    if len(wide) < 2:
        raise EvaluationError(
            f'{name!r} compares members or transforms, and there is only one. Give an ensemble, or `tta="dihedral"`.'
        )
    return score.measure(wide)
