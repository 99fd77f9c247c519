"""A run that is killed, whenever it may be, goes on and ends with the same bits as one that was not."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from support.forked_scripts import ForkedScript
from support.platforms import POSIX

pytestmark = POSIX

SCRIPT = Path(__file__).with_name("one_run.py")
KILLED = -9


def start(mode, easy, pretrained, folder, *moments):
    table = folder.with_name("data.csv")
    easy.table.to_csv(table, index=False)
    # With features of its own, so that a kill can hit while they are computed.
    environment = {"BREASTCLS_CACHE": f"{folder}-cache"}
    return ForkedScript(SCRIPT, (mode, table, pretrained, folder, *moments), folder.with_suffix(".out"), environment)


def finish(*run):
    """Run to the end; return the hash of the weights and the seconds it took."""
    run = start(*run)
    assert run.finish() == 0, run.printed
    digest, seconds = run.printed.splitlines()[-1].split()
    return digest, float(seconds)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["images", "phases"])
def test_killed_at_a_random_moment_it_ends_with_the_same_bits(easy, pretrained, tmp_path, mode):
    """`BREASTCLS_KILLS` says how many moments; a person who changed the trainer takes ten."""
    expected, seconds = finish(mode, easy, pretrained, tmp_path / "whole")
    kills = int(os.environ.get("BREASTCLS_KILLS", "1"))
    generator = np.random.default_rng(int.from_bytes(os.urandom(4)))
    for number in range(kills):
        # One in each part of the time, so that they spread over all of it.
        share = (number + generator.uniform()) / kills
        for attempt in range(8):
            folder = tmp_path / f"killed{number}-{attempt}"
            run = start(mode, easy, pretrained, folder)
            run.wait_for("begins\n")
            time.sleep(share * seconds)
            run.process.kill()
            code, output = run.finish(), run.printed.partition("begins\n")[2]
            if code == KILLED:
                break
            # It had ended: the machine has become faster, and the kill hit nothing.
            assert code == 0, output
            seconds = min(seconds, float(output.split()[-1]))
        else:
            pytest.fail("no kill hit the run")
        assert finish(mode, easy, pretrained, folder)[0] == expected, (share, os.listdir(folder))
        assert not [path.name for path in folder.rglob(".*")]


@pytest.mark.slow
def test_killed_wherever_it_hurts_one_after_the_other_it_ends_with_the_same_bits(easy, pretrained, tmp_path):
    moments = "config.json", "features", "probe", "phase-1.npz", "model.keras", "run.json", "remove"
    folder = tmp_path / "killed"
    for moment in moments:
        run = start("probe", easy, pretrained, folder, moment)
        assert run.finish() == KILLED, (moment, run.printed)
    assert (folder / "checkpoints").exists()
    digest, _ = finish("probe", easy, pretrained, folder)
    assert digest == finish("probe", easy, pretrained, tmp_path / "whole")[0]
    files = {"config.json", "split.csv", "local.json", "history.csv", "model.keras", "environment.json", "run.json"}
    assert {path.name for path in folder.iterdir()} == files
