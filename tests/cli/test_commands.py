"""What the commands do, and that the Python that they print does the same."""

import contextlib
import io
import json
import warnings

import pytest

import breastcls as bc
from breastcls.cli.exit_statuses import ExitStatus

NETWORK = ("--backbone", "cnn4", "--image-size", 32, "--epochs", 1, "--augment", "none", "--resamples", 200)
# What differs between two runs of one program.
TIMES = {"seconds", "date", "origin", "run_dir", "history"}


def without_times(values):
    if isinstance(values, dict):
        return {key: without_times(value) for key, value in values.items() if key not in TIMES}
    return [without_times(value) for value in values] if isinstance(values, list) else values


def run_python(source):
    """Run printed Python and return the JSON results that it prints, in order."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), warnings.catch_warnings(action="ignore"):
        exec(compile(source, "printed.py", "exec"), {})
    decoder, text, found = json.JSONDecoder(), output.getvalue().strip(), []
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].lstrip()
    return found


@pytest.fixture(scope="module")
def trained(easy_table, easy_root, tmp_path_factory):
    """The output of `train`, and its folder."""
    from click.testing import CliRunner

    from breastcls.cli.command_line import command_line

    folder = tmp_path_factory.mktemp("trained")
    words = ["train", easy_table, "--root", easy_root, "--val-fraction", 0.25, "--test-fraction", 0.25]
    words = [*words, *NETWORK, "--json", "--quiet", "--output", folder / "run"]
    result = CliRunner().invoke(command_line, [str(word) for word in words])
    assert result.exit_code == 0, result.stderr
    return words, json.loads(result.stdout), folder / "run"


def test_train_writes_the_run_the_model_and_the_report(trained, call):
    words, output, folder = trained
    assert {"run", "result"} == set(output["results"])
    assert set(output["files"]) == {"evaluation", "model", "predictions", "report"}
    for name in ("model.keras", "config.json", "report.html", "evaluation.json", "predictions.csv"):
        assert (folder / name).is_file()
    again = call(*words[:-1], folder, status=ExitStatus.ERROR)
    assert "On the command line: --output, --resume." in again.stderr


def test_the_printed_python_gives_the_same_result(trained, call, tmp_path):
    words, output, _ = trained
    source = call(*words[:-1], tmp_path / "again", "--show-python").stdout
    assert 'os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"' in source
    assert not (tmp_path / "again").exists()
    assert without_times(run_python(source)) == without_times([*output["results"].values()])


def test_evaluate_takes_a_run_and_predictions(trained, call, easy_table, easy_root):
    _, output, folder = trained
    saved = call("evaluate", folder / "predictions.csv", "--resamples", 200, "--json").json["results"]["result"]
    assert saved["metrics"] == output["results"]["result"]["metrics"]
    leak = call("evaluate", folder, easy_table, "--root", easy_root, "--train", easy_table, status=ExitStatus.ERROR)
    assert "On the command line: --allow-leakage." in leak.stderr
    assert "Missing argument 'TEST'" in call("evaluate", folder, status=ExitStatus.USAGE).stderr
    assert "such as the predictions.csv" in call("report", folder / "evaluation.json", status=ExitStatus.USAGE).stderr


def test_report_explain_and_compare(trained, call, easy_table, easy_root, tmp_path):
    folder = trained[2]
    call("report", folder / "predictions.csv", "--resamples", 200, "--title", "Ours", "-o", "out/r.html")
    assert "<h1>Ours" in (tmp_path / "out" / "r.html").read_text(encoding="utf-8")
    call("explain", folder, easy_table, "--root", easy_root, "--limit", 2, "-o", "maps")
    assert len(list((tmp_path / "maps").rglob("*.png"))) >= 2
    files = [f"{name}={folder / 'predictions.csv'}" for name in ("one", "two")]
    result = call("compare", *files, "--resamples", 200, "-o", "comparison", "--json")
    assert result.json["files"] == {"comparison": "comparison/comparison.json", "report": "comparison/comparison.html"}
    assert (tmp_path / "comparison" / "comparison.json").is_file()


def test_cross_validate_passes_its_options_on(call, easy_table, easy_root, monkeypatch):
    class Result:
        def __str__(self):
            return "the result"

        def to_html(self, path):
            return path

    def run(build, data, **options):
        calls.append((build().output_shape, len(data), options))
        return Result()

    calls = []
    monkeypatch.setattr("breastcls.cross_validate", run, raising=False)
    words = ("cross-validate", easy_table, "--root", easy_root, "--folds", "leave-one-out", *NETWORK, "--quiet")
    assert call(*words, "-o", "cv").stdout == "the result\n\nReport  cv/report.html\n"
    shape, count, options = calls[0]
    assert (shape, count, options.pop("bootstrap").resamples) == ((None, 2), 48, 200)
    expected = {"folds": "leave-one-out", "epochs": 1, "augment": None, "run_dir": "cv", "progress": False}
    assert options == expected
    assert "bc.cross_validate(\n    lambda: bc.build_model(" in call(*words, "--show-python").stdout


def test_split_writes_tables_that_do_not_leak(call, easy_table, easy_root, tmp_path):
    result = call("split", easy_table, "--root", easy_root, "--test-fraction", 0.25, "--val-fraction", 0)
    assert "Training images\n32 images" in result.stdout
    assert f"breastcls train split/train.csv --test split/test.csv --root {easy_root}" in result.stderr
    tables = [tmp_path / "split" / f"{name}.csv" for name in ("train", "test")]
    # The paths are relative to the root, so that the images are missing here.
    assert "(compared: cases and slides, not pixels)" in call("audit", *tables).stdout
    call("audit", tables[0], tables[0], status=ExitStatus.LEAK)
    train, test = (bc.load_table(table, root=easy_root) for table in tables)
    assert len(train + test) == 48
    assert "expected shares" in call("split", easy_table, "--test-fraction", 1, status=ExitStatus.USAGE).stderr


def test_check_counts_what_cannot_be_used(call, tmp_path):
    root = bc.datasets.make_idc(tmp_path, patients=2, patches_per_patient=4)
    call("check", root)
    broken = next(root.rglob("*.png"))
    broken.write_bytes(broken.read_bytes()[:50])
    result = call("check", root, "-o", "usable.csv", status=ExitStatus.UNUSABLE_FILES)
    assert "IDC patches (8 of 8 images have such file names)" in result.stderr
    assert len(bc.load_table(tmp_path / "usable.csv", root=root)) == 7


def test_recipes_are_listed_and_described(call):
    assert "cancernet-idc" in call("recipes").stdout
    assert "CancerNet" in call("recipes", "cancernet-idc").stdout
    assert "Did you mean 'cancernet-idc'" in call("recipes", "cancernet", status=ExitStatus.ERROR).stderr
    source = call("recipes", "cancernet-idc", "--show-python").stdout
    assert "TF_ENABLE" not in source


def test_predict_takes_files_folders_and_tables(trained, call, easy, easy_table, easy_root, tmp_path):
    folder = trained[2]
    expected = bc.predict(folder / "model.keras", easy[:2]).probabilities.tolist()
    files = call("predict", folder, *easy.paths[:2], "--json").json["results"]["predictions"]
    assert files["probabilities"] == expected
    streamed = call("predict", folder, *easy.paths[:2], "-o", "some.csv").stdout
    assert streamed.startswith("some.csv: 2 images (predicted: ")
    written = bc.Predictions.from_csv(tmp_path / "some.csv")
    assert written.probabilities.tolist() == expected
    whole = call("predict", folder, easy_root, "--json", "-o", "all.json").json
    assert whole["files"] == {"predictions": "all.json"}
    table = call("predict", folder, easy_table, "--root", easy_root, "--json").json
    assert table["results"]["predictions"]["probabilities"][:2] == expected
    assert (
        "ends in .csv, .parquet, .json"
        in call("predict", folder, easy_root, "-o", "x.txt", status=ExitStatus.USAGE).stderr
    )


def test_options_of_a_model_of_others_are_passed_to_load_model(call, easy_table):
    words = ("--scaling", "0.5", "--outputs", "logits", "--input-size", 64, "--no-safe-mode")
    source = call("predict", "a.h5", "x.jpg", "--class", "no", "--class", "yes", *words, "--show-python").stdout
    expected = 'classes=["no", "yes"], scaling=0.5, outputs="logits", image_size=64, safe_mode=False'
    for text in (
        source,
        call("evaluate", "a.h5", easy_table, "--class", "no", "--class", "yes", *words, "--show-python").stdout,
    ):
        assert expected in " ".join(text.split())


def test_export_passes_its_options_on(call, easy_table, easy_root):
    words = ("export", "run", "model.xml", "--check", easy_table, "--quantize", easy_table, "--root", easy_root)
    source = call(*words, "--to", "openvino", "--case-names", "keep", "--overwrite", "--show-python").stdout
    expected = 'format="openvino", case_names="keep", check=check_images, quantize=quantize_images, overwrite=True'
    assert expected in " ".join(source.split())
    refused = call("export", "model.keras", "model.xyz", status=ExitStatus.ERROR)
    assert refused.stderr.startswith("Exporting model.keras.\nError: ")
