import itertools

import cv2
import numpy as np
import pytest

import breastcls as bc
from breastcls.datasets import propose_repairs, repair_split
from breastcls.errors import DatasetError, SplitError


def _random_parts(seed, sizes=(14, 9), cases=7):
    rng = np.random.default_rng(seed)
    total = sum(sizes)
    case = rng.integers(0, cases, total)
    data = bc.Dataset.from_columns(
        ("b", "m"),
        path=[f"{number}.png" for number in range(total)],
        label=np.where((case + (rng.random(total) < 0.1)) % 2, "m", "b").tolist(),
        case=[f"case {number}" for number in case],
    )
    edges = np.cumsum((0, *sizes))
    return [data[start:stop] for start, stop in itertools.pairwise(edges)]


def _fewest_images(parts, how):
    """Return the smallest number of changed images, by trying every assignment of the shared cases."""
    part = np.repeat(np.arange(len(parts)), list(map(len, parts)))
    case = np.concatenate([one.cases.astype(str) for one in parts])
    label = np.concatenate([one.labels for one in parts])
    held = set(zip(part.tolist(), label.tolist(), strict=True))
    shared = [(case == name) for name in np.unique(case) if len(np.unique(part[case == name])) > 1]
    best = None
    for targets in itertools.product(*(np.unique(part[mask]).tolist() for mask in shared)):
        new = part.copy()
        for mask, target in zip(shared, targets, strict=True):
            new[mask] = target
        kept = slice(None) if how == "move" else new == part
        if held <= set(zip(new[kept].tolist(), label[kept].tolist(), strict=True)):
            changed = int((new != part).sum())
            best = changed if best is None else min(best, changed)
    return best


@pytest.mark.parametrize("how", ["move", "drop"])
@pytest.mark.parametrize("sizes", [(14, 9), (9, 5, 8)])
def test_the_repair_is_the_smallest_and_passes_the_audit(how, sizes):
    found = 0
    for seed in range(8):
        parts = _random_parts(seed, sizes)
        expected = _fewest_images(parts, how)
        if expected is None:
            with pytest.raises(SplitError, match="leaves every class"):
                repair_split(*parts, how=how, pixels=False)
            continue
        try:
            repair = getattr(propose_repairs(*parts, pixels=False), how)
        except SplitError:  # the other variant may have no solution
            continue
        found += 1
        assert repair.images == expected
        for first, second in itertools.combinations(repair.parts, 2):
            assert bc.audit_leakage(first, second, pixels=False).clean
        for before, after in zip(parts, repair.parts, strict=True):
            assert set(before.labels) <= set(after.labels)
        total = sum(map(len, parts)) - (expected if how == "drop" else 0)
        assert sum(map(len, repair.parts)) == total
        cost = repair.cost.groupby("part", sort=False)
        assert cost["images_after"].sum().tolist() == list(map(len, repair.parts))
        assert cost["images_before"].sum().tolist() == list(map(len, parts))
    assert found >= 3


def test_near_duplicates_and_copies_are_repaired_too(tmp_path, draw):
    paths = [str(draw(tmp_path / f"{number}.png", number)) for number in range(8)]
    copy, similar = str(tmp_path / "copy.bmp"), str(tmp_path / "similar.jpg")
    cv2.imwrite(copy, cv2.imread(paths[0]))
    cv2.imwrite(similar, cv2.imread(paths[3])[::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    train = bc.Dataset.from_columns(("b", "m"), path=paths[:6], label=list("bmbmbm"), case=list("abcdef"))
    test = bc.Dataset.from_columns(("b", "m"), path=[copy, similar, *paths[6:]], label=list("bmbm"), case=list("uvwx"))
    assert not bc.audit_leakage(train, test).clean
    assert propose_repairs(train, test, pixels=False).move.changes.empty
    for how, sizes in (("move", 10), ("drop", 8)):
        parts = repair_split(train, test, how=how)
        assert bc.audit_leakage(*parts).clean
        assert sum(map(len, parts)) == sizes


def test_the_proposals_print_cases_and_cost_by_class():
    data = _random_parts(1)
    proposals = propose_repairs(*data, pixels=False)
    text = str(proposals)
    for expected in ("how='move'", "how='drop'", "dropped", "images before", "cases before"):
        assert expected in text
    assert proposals.to_dict()["drop"]["changes"][0]["to"] is None
    assert "repaired" in proposals.move.parts[0].notes[-1]


def test_a_clean_split_is_returned_unchanged():
    first, second = _random_parts(2)
    second = bc.Dataset(second.table.assign(case="other", slide="other"), second.classes)
    proposals = propose_repairs(first, second, pixels=False)
    assert str(proposals) == "The parts share no case, slide or image: nothing is to repair."
    assert [part.paths for part in proposals.drop.parts] == [first.paths, second.paths]


def test_bad_arguments():
    first, second = _random_parts(3)
    with pytest.raises(DatasetError, match="at least two parts"):
        propose_repairs(first)
    with pytest.raises(DatasetError, match="how is 'delete'; expected one of 'move', 'drop'"):
        repair_split(first, second, how="delete", pixels=False)
    with pytest.raises(DatasetError, match="different classes"):
        propose_repairs(first, second.with_classes(("b", "m", "x"), "label"), pixels=False)
    with pytest.raises(DatasetError, match="1 name for 2 parts"):
        propose_repairs(first, second, pixels=False, names=["train"])
