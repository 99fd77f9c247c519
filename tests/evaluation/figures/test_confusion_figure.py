import numpy as np
import pandas as pd

from breastcls.evaluation.figures.confusion_figure import plot_confusion


def texts(rows, classes=("benign", "malignant")):
    figure = plot_confusion(pd.DataFrame(rows, index=list(classes), columns=list(classes)))
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_confusion_matrix_shows_every_count_and_its_share_of_the_row():
    assert texts([[70, 30], [10, 40]]) == ["70\n70%", "30\n30%", "10\n20%", "40\n80%"]


def test_a_class_without_images_has_no_shares():
    assert texts([[0, 0], [3, 9]]) == ["0\n–", "0\n–", "3\n25%", "9\n75%"]


def test_the_cells_of_many_classes_hold_counts_alone():
    names = [f"class number {number}" for number in range(8)]
    assert texts(1000 * np.eye(8, dtype=int), names)[:2] == ["1,000", "0"]
