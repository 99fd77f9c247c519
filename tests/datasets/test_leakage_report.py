import dataclasses

from breastcls.datasets.leakage_report import LeakageReport, join_reports


def test_the_text_names_what_was_compared():
    report = LeakageReport((), (), (), (), test_images=1, test_images_in_shared_cases=0, pixels_compared=False)
    assert str(report) == "No leakage: training and test images share nothing (compared: cases and slides, not pixels)."
    assert report.to_dict()["compared_with"] == ["training"]
    other = dataclasses.replace(report, compared_with=("threshold",), compared_by=("cases",))
    expected = (
        "No leakage: images used for fitting (threshold) and test images share nothing (compared: cases, not pixels)."
    )
    assert str(other) == expected
    both = join_reports([report, other])
    assert both.compared_with == ("threshold", "training")
    assert both.compared_by == ("cases",)
    leaking = dataclasses.replace(other, shared_cases=("b",), test_images_in_shared_cases=1)
    assert "case that was also used for fitting" in str(leaking)
    assert "training" not in str(leaking)
