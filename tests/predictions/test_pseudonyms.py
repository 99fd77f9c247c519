import pickle

import numpy as np
import pandas as pd
import pytest

import breastcls as bc
from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.score_tables import score
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.pseudonyms import Pseudonyms

NAMES = ("14-22549", "14-9461", "15-190")
ROOT = "/home/alice/BreaKHis"


@pytest.fixture
def some():
    return Predictions.from_arrays(
        probabilities=[0.9, 0.2, 0.6, 0.4],
        labels=[1, 0, 0, 1],
        classes=("benign", "malignant"),
        cases=[NAMES[0], NAMES[0], NAMES[1], NAMES[2]],
        slides=[f"{NAMES[0]}AB", f"{NAMES[0]}CD", NAMES[1], ""],
        paths=[f"{ROOT}/{label}/{name}.PNG" for label, name in zip("BBMM", ("a", "b", "c", "d"), strict=True)],
    )


def test_every_name_has_a_pseudonym_and_the_numbers_stay(some):
    shared = some.with_pseudonyms()
    assert sorted(set(shared.cases)) == ["case-001", "case-002", "case-003"]
    assert sorted(shared.paths) == [f"image-000{number}.png" for number in range(1, 5)]
    assert shared.slides[3] == ""
    for name in ("cases", "slides", "paths"):
        assert pd.factorize(getattr(shared, name))[0].tolist() == pd.factorize(getattr(some, name))[0].tolist()
    assert np.array_equal(shared.probabilities, some.probabilities)
    tables = [score(one, CaseStatistics.of(one), Bootstrap(50)) for one in (some, shared)]
    pd.testing.assert_frame_equal(*tables)


def test_nothing_that_is_written_has_a_name(some, tmp_path):
    shared = some.with_pseudonyms()
    written = shared.to_csv(tmp_path / "shared.csv").read_text(encoding="utf-8") + shared.to_json() + repr(shared)
    for one in (*NAMES, ROOT, "alice", "a.PNG"):
        assert one not in written
        assert one.encode() not in pickle.dumps(shared)
    # In this session a report can show the pictures, also of a part of the rows.
    assert [shared[2:].file_of(row) for row in range(2)] == [str(path) for path in some.paths[2:]]
    assert pickle.loads(pickle.dumps(shared)).file_of(0) == shared.paths[0]


def test_a_key_gives_the_same_numbers_and_another_key_others(some):
    one, same, other = (Pseudonyms.of(some, key=key) for key in ("a", "a", "b"))
    assert one.images == same.images
    assert one.images != other.images
    drawn = {tuple(Pseudonyms.of(some).images.items()) for _ in range(4)}
    assert len(drawn) > 1


def test_they_are_kept_in_a_file_and_used_again(some, tmp_path):
    names = Pseudonyms.of(some)
    again = Pseudonyms.from_csv(names.to_csv(tmp_path / "names.csv"))
    assert (again.cases, again.slides, again.images) == (names.cases, names.slides, names.images)
    assert again.cases[NAMES[0]] == some.with_pseudonyms(names).cases[0]
    assert repr(names) == "Pseudonyms(3 cases, 3 slides, 4 images)"
    # What has pseudonyms already stays as it is.
    twice = some.with_pseudonyms(names).with_pseudonyms(names)
    assert twice.cases.tolist() == some.with_pseudonyms(names).cases.tolist()
    # A part of the images, whose common folder is another one.
    assert some[:2].with_pseudonyms(names).paths.tolist() == some.with_pseudonyms(names).paths[:2].tolist()
    with pytest.raises(EvaluationError, match="Expected the columns kind, name and pseudonym"):
        Pseudonyms.from_csv(some.to_csv(tmp_path / "other.csv"))


def test_a_name_without_a_pseudonym_is_an_error(some):
    names = Pseudonyms.of(some[:2])
    with pytest.raises(EvaluationError, match="2 of the cases have no pseudonym, such as '14-9461'"):
        some.with_pseudonyms(names)


def test_pseudonyms_of_all_data_serve_its_parts(some):
    data = bc.Dataset.from_columns(some.classes, path=some.paths, label=["malignant"] * 4, case=some.cases)
    names = Pseudonyms.of(data, some)
    assert set(names.cases) == set(NAMES)
    assert set(names.images) == {"B/a.PNG", "B/b.PNG", "M/c.PNG", "M/d.PNG"}


def test_names_are_replaced_in_json_values_and_tables(some):
    names = Pseudonyms.of(some)
    case = names.cases[NAMES[0]]
    table = pd.DataFrame({"images": [2], "cases": [1]}, index=pd.Index([NAMES[0]], name="case"))
    values = {
        "training": {"cases": [NAMES[0]], "images": 3, "counts": {"cases": 12}},
        "text": (f"The files such as '{ROOT}/B/a.PNG', 'benign'.",),
        "worst": table,
    }
    replaced = names.replace_in(values)
    assert replaced["training"] == {"cases": [case], "images": 3, "counts": {"cases": 12}}
    assert replaced["text"] == (f"The files such as '{names.images['B/a.PNG']}', 'benign'.",)
    assert replaced["worst"].index.tolist() == [case]
    assert replaced["worst"]["cases"].tolist() == [1]
    both = table.set_index(pd.MultiIndex.from_tuples([("x", NAMES[0])], names=["level", "case"]))
    assert names.replace_in(both).index.tolist() == [("x", case)]
