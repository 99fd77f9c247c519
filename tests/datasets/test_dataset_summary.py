from breastcls.datasets.dataset_summary import summarise
from breastcls.datasets.image_table import make_table


def test_a_slide_number_with_two_subtypes_counts_twice():
    table = make_table(
        {
            "path": ["1", "2", "3"],
            "label": ["DC", "LC", "LC"],
            "subtype": ["DC", "LC", "LC"],
            "case": ["14-13412", "14-13412", "14-2"],
        }
    )
    summary = summarise(table, ("DC", "LC", "MC"), ("A note.",))
    assert summary.total == {"images": 3, "slides": 3, "cases": 2}
    assert summary.by_class.loc["MC"].tolist() == [0, 0, 0]
    text = str(summary)
    assert "add up to 1 more than the total" in text
    assert "Note: A note." in text
