import os

import numpy as np

import breastcls as bc
from breastcls.errors import ModelError
from support.platforms import POSIX

pytestmark = POSIX


def test_a_fork_of_a_process_with_a_model_is_refused_and_does_not_hang():
    model = bc.build_model("cnn4", classes=("b", "m"), image_size=32, seed=1)
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    calls = (
        lambda: bc.predict(model, pixels),
        lambda: bc.explain(model, pixels),
        lambda: bc.build_model("cnn4", classes=("b", "m"), image_size=32),
    )
    child = os.fork()
    if child == 0:
        named = 0
        try:
            for call in calls:
                try:
                    call()
                except ModelError as error:
                    named += "was forked from process" in str(error) and "spawn" in str(error)
        finally:
            # Without the handlers of pytest and TensorFlow, which belong to the parent.
            os._exit(named)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == len(calls)
    assert len(bc.predict(model, pixels)) == 1, "the parent is not affected"
