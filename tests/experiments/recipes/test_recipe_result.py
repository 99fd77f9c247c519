import json

import numpy as np
import pytest

import breastcls as bc


def test_the_table_holds_both_splits_and_the_reported_values(tiny, tiny_result):
    table = tiny_result.table
    assert table.loc[("cnn4", "accuracy"), "reported"] == 0.9
    assert table["reported"].notna().sum() == 1
    (model,) = tiny_result.models
    for split, name in zip(model.splits, ("image_split", "case_split"), strict=True):
        for metric in tiny.metrics:
            expected = split.evaluation.metrics.loc[metric, ["value", "low", "high"]].tolist()
            row = table.loc[("cnn4", metric), [name, f"{name}_low", f"{name}_high"]]
            np.testing.assert_array_equal(row.to_numpy(dtype=float), expected)
        colour = split.evaluation.colour_baseline.loc["roc_auc", "value"]
        assert table.loc[("cnn4", "colour-only baseline: roc_auc"), name] == colour


def test_it_prints_everything(tiny_result, capsys):
    tiny_result.print()
    text = capsys.readouterr().out
    assert text.rstrip("\n") == str(tiny_result)
    accuracy = tiny_result.table.loc[("cnn4", "accuracy")]
    assert f"{accuracy['image_split']:.3f}" in text
    assert f"{accuracy['case_split']:.3f}" in text
    assert "Reported: accuracy 90%." in text
    assert "LEAKS" in text
    assert text.count("Confusion matrix") == 2
    assert "too high for new cases" in text
    assert repr(tiny_result) == "RecipeResult('tiny', cnn4)"


def test_json_holds_it_all(tiny_result, tmp_path):
    text = tiny_result.to_json(tmp_path / "result.json")
    values = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert text + "\n" == (tmp_path / "result.json").read_text(encoding="utf-8")
    assert values["recipe"]["name"] == "tiny"
    (model,) = values["models"]
    assert model["reported"] == {"accuracy": 0.9}
    assert model["image_split"]["evaluation"]["leak_allowed"] is True
    assert model["case_split"]["evaluation"]["leak_allowed"] is False
    assert model["case_split"]["evaluation"]["roc"]["data"]
    assert model["case_split"]["runs"][0]["config"]["fit"]["epochs"] == 1
    # The same, as it was written beside the runs.
    assert (tiny_result.output / "result.json").read_text(encoding="utf-8") == text + "\n"


def test_markdown_is_one_table(tiny_result, tmp_path):
    text = tiny_result.to_markdown(tmp_path / "result.md", digits=2)
    assert (tmp_path / "result.md").read_text(encoding="utf-8") == text
    lines = text.splitlines()
    assert lines[0] == "| Metric | Reported | Image-wise split (leaks) | Case-wise split |"
    accuracy = tiny_result.table.loc[("cnn4", "accuracy")]
    assert lines[2].startswith(f"| Accuracy | 0.90 | {accuracy['image_split']:.2f} (")
    assert len([line for line in lines if line.startswith("|")]) == 2 + len(tiny_result.table)


@pytest.mark.slow
def test_the_table_names_the_models_if_there_are_several(run_small):
    result = run_small("vgg19-resnet50-breakhis")
    lines = result.to_markdown().splitlines()
    assert {line.split("|")[1].strip() for line in lines[2:] if line.startswith("|")} == {"vgg19", "resnet50", "cnn4"}


def test_each_limitation_is_listed_once(tiny_result):
    assert len(set(tiny_result.limitations)) == len(tiny_result.limitations)
    assert any("it was not measured here" in line for line in tiny_result.limitations)


def test_the_page_needs_no_network_and_links_to_both_reports(tiny_result, tmp_path):
    page = tiny_result.to_html(tmp_path / "pages")
    text = page.read_text(encoding="utf-8")
    assert "http" not in text.replace("http-equiv", "")
    assert text.count("leaks</span>") == 2
    for by in ("image-split", "case-split"):
        report = tmp_path / "pages" / "cnn4" / by / "report.html"
        assert f'href="cnn4/{by}/report.html"' in text
        assert report.stat().st_size > 50_000
    # Heat-maps outside its folder are not shown by a page that may be moved.
    assert "<img" not in text


def test_the_page_beside_the_runs_shows_their_heatmaps(tiny_result):
    text = (tiny_result.output / "index.html").read_text(encoding="utf-8")
    shown = [part.split('"')[0] for part in text.split('<img src="')[1:]]
    assert len(shown) == 16
    assert all((tiny_result.output / path).is_file() for path in shown)


def test_names_from_outside_are_escaped(tiny, tissue, tmp_path):
    strange = tissue.with_classes(("<b>no</b>", "yes"), {"benign": "<b>no</b>", "malignant": "yes"})
    result = bc.experiments.run_recipe(tiny, strange, progress=False)
    assert "<b>no" not in result.to_html(tmp_path / "pages").read_text(encoding="utf-8")
