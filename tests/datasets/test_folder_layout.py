import pytest

from breastcls.datasets.folder_layout import recognise_layout


def tree(*levels):
    """Return the folders of a tree in which every folder of a level has the same subfolders."""
    found = {()}
    for names in levels:
        found = {(*above, name) for above in found for name in names}
    return found


CLASSES = ("benign", "malignant")
CASES = tuple(f"P{number:03}" for number in range(12))


@pytest.mark.parametrize(
    ("levels", "layout"),
    [
        ((("train", "val", "test"), CLASSES), "split/class"),
        ((("Training", "Testing"), CLASSES, CASES), "split/class"),
        ((("train", "validation"), CLASSES), "split/class"),
        ((("valid", "TEST "), ("0", "1")), "split/class"),
        ((("BreakHis_train", "BreakHis_test"), CLASSES), "split/class"),
        ((("train_set", "test_set", "dev_set"), CLASSES), "split/class"),
        ((("Trainingsdaten", "Testdaten"), CLASSES), "split/class"),
        ((("trainset", "valset", "testset"), CLASSES), "split/class"),
        ((("breast_trainA", "breast_testA"), CASES, CLASSES), "split/case/class"),
        ((("train", "test"), ("40X", "100X"), CLASSES), "split/magnification/class"),
        ((("fold1", "fold2"), ("train", "test"), CLASSES), "fold/split/class"),
        ((("Fold 1", "Fold 2", "Fold 3"), CLASSES), "fold/class"),
        ((("40X", "100X", "200X", "400X"), CLASSES), "magnification/class"),
        ((("x40", "x100"), CLASSES), "magnification/class"),
        ((CASES, CLASSES), "case/class"),
        ((CASES, ("0", "1")), "case/class"),
        ((("8863", "8864"), ("0", "1")), "case/class"),
        ((("1", "2", "3"), CLASSES), "case/class"),
        ((("Lyon", "Oslo"), CLASSES), "case/class"),
        ((("train", "test"), CASES, CLASSES), "split/case/class"),
        ((CASES,), "case"),
        ((("8863", "8914", "9036", "9044", "12811", "16570"),), "case"),
        ((("train", "test"),), "split"),
        ((("images", "masks"), CLASSES), "content/class"),
    ],
)  # fmt: skip
def test_levels_that_are_no_classes(levels, layout):
    assert recognise_layout(tree(*levels)) == layout


@pytest.mark.parametrize(
    "levels",
    [
        (CLASSES,),
        (CLASSES, CASES),
        (CLASSES, ("40X", "100X")),
        (CLASSES, ("train", "test")),
        (("0", "1"),),
        (("0", "1"), tuple(map(str, range(8000, 8040)))),
        (("grade1", "grade2", "grade3"), CASES),
        (tuple(f"class{n}" for n in range(8)),),
        (tuple(map(str, range(10))),),
        (("test positive", "test negative"),),
        (("testis", "ovary"), CASES),
        (("valve", "testis"),),
        (("A", "F", "PT", "TA", "DC", "LC", "MC", "PC"), ("images", "masks")),
        (("HER2 0", "HER2 1+", "HER2 2+", "HER2 3+"),),
        (("adenosis", "fibroadenoma", "carcinoma"), ("train", "test")),
    ],
)
def test_levels_that_are_classes(levels):
    assert recognise_layout(tree(*levels)) == "class"


def test_each_case_may_have_one_class():
    assert recognise_layout({(case, CLASSES[number % 2]) for number, case in enumerate(CASES)}) == "case/class"
