import numpy as np
import pytest
from scipy.stats import entropy as reference_entropy

from breastcls.errors import EvaluationError, RegistryError
from breastcls.uncertainty.uncertainty_scores import (
    UNCERTAINTY_SCORES,
    disagreement,
    energy,
    entropy,
    lack_of_margin,
    lack_of_probability,
    mutual_information,
    recover_logits,
    score_members,
    score_predictions,
)

CLASSES = ("a", "b", "c")


def softmax(logits):
    scaled = np.exp(logits)
    return scaled / scaled.sum(axis=-1, keepdims=True)


def draw_members(members=5, images=40, classes=3, seed=0):
    return softmax(np.random.default_rng(seed).normal(size=(members, images, classes)) * 2)


def test_scores_of_probabilities_against_scipy_and_sorting():
    rows = draw_members()[0]
    np.testing.assert_allclose(entropy(rows), [reference_entropy(row) for row in rows])
    ordered = [sorted(row, reverse=True) for row in rows.tolist()]
    np.testing.assert_allclose(lack_of_probability(rows), [1 - row[0] for row in ordered])
    np.testing.assert_allclose(lack_of_margin(rows), [1 - (row[0] - row[1]) for row in ordered])


def test_a_certain_row_has_no_entropy():
    assert entropy(np.array([[1.0, 0.0, 0.0]])).tolist() == [0.0]


def test_mutual_information_against_the_mean_divergence_from_the_mean():
    """The information between a member drawn at random and the class it then draws, in its other form."""
    members = draw_members()
    mean = members.mean(axis=0)
    expected = [
        np.mean([reference_entropy(member[index], mean[index]) for member in members]) for index in range(len(mean))
    ]
    np.testing.assert_allclose(mutual_information(members), expected)


def test_disagreement_against_counting():
    members = draw_members(members=7)
    for index, value in enumerate(disagreement(members)):
        votes = members[:, index].argmax(axis=1).tolist()
        assert value == pytest.approx(1 - max(votes.count(vote) for vote in votes) / 7)


def test_a_member_in_between_votes_for_the_positive_class():
    members = np.array([[[0.5, 0.5]], [[0.2, 0.8]], [[0.3, 0.7]]])
    assert disagreement(members).tolist() == [0.0]


def test_members_that_say_the_same_do_not_disagree():
    same = np.repeat(draw_members(members=1), 4, axis=0)
    assert np.abs(mutual_information(same)).max() < 1e-12
    assert (disagreement(same) == 0).all()


def test_what_energy_loses_in_a_softmax():
    logits = np.random.default_rng(1).normal(size=(30, 3)) * 3
    by_hand = [-np.log(sum(np.exp(value) for value in row)) for row in logits]
    np.testing.assert_allclose(energy(logits), by_hand)
    recovered = recover_logits(softmax(logits))
    np.testing.assert_allclose(recovered, logits - logits.mean(axis=1, keepdims=True), atol=1e-9)
    np.testing.assert_allclose(energy(recovered), np.log(softmax(logits)).mean(axis=1))
    assert np.ptp(energy(recovered) - energy(logits)) > 1
    # With two classes it says no more than the highest probability.
    binary = softmax(logits[:, :2])
    assert (np.argsort(energy(recover_logits(binary))) == np.argsort(lack_of_probability(binary))).all()


@pytest.mark.parametrize("name", UNCERTAINTY_SCORES)
def test_every_score_is_higher_where_less_is_known(draw, name):
    score = UNCERTAINTY_SCORES[name]
    assert score.paper.startswith(("arXiv:", "10."))
    assert score.words
    sure, unsure = np.array([0.98, 0.01, 0.01]), np.array([0.34, 0.33, 0.33])
    if score.needs == "members":
        low = score_members(np.tile(sure, (3, 1, 1)), name)
        high = score_members(np.stack([[np.roll(sure, turn)] for turn in range(3)]), name)
    else:
        low, high = (score_members(np.tile(row, (3, 1, 1)), name) for row in (sure, unsure))
    assert low.shape == high.shape == (1,)
    assert low[0] < high[0]
    if score.needs != "members":
        assert score_predictions(draw(classes=CLASSES), name).shape == (300,)


def test_what_is_refused(draw):
    with pytest.raises(RegistryError, match="entropy"):
        score_predictions(draw(), "entropie")
    with pytest.raises(EvaluationError, match="each member"):
        score_predictions(draw(), "disagreement")
    with pytest.raises(EvaluationError, match="there is only one"):
        score_members(draw_members(members=1), "mutual-information")
    with pytest.raises(EvaluationError, match="expected \\(members"):
        score_members(draw_members()[0], "entropy")
