"""Who the other machines are, read from the environment; joining them is tested in test_distribution.py."""

import json

import pytest

import breastcls as bc
from breastcls.errors import TrainingError
from breastcls.training.distribution import workers

CLUSTER = {"worker": ["one:1", "two:1"]}


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_STEP_NODELIST"):
        monkeypatch.delenv(name, raising=False)


def set_slurm(monkeypatch, **values):
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_alone_it_says_what_is_missing():
    with pytest.raises(TrainingError, match="TF_CONFIG is not set, and this process was not started by srun"):
        bc.training.join_workers()
    assert workers.joined_workers() is None


def test_tf_config_is_read(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 1}}))
    resolver = workers._resolver(8888)
    assert resolver.cluster_spec().as_dict() == CLUSTER
    assert (resolver.task_type, resolver.task_id) == ("worker", 1)


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        json.dumps({"cluster": CLUSTER}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 2}}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": -1}}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "chief", "index": 0}}),
        json.dumps({"cluster": {**CLUSTER, "ps": ["three:1"]}, "task": {"type": "worker", "index": 0}}),
    ],
)
def test_a_wrong_tf_config_is_shown(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(TrainingError, match="TF_CONFIG is"):
        bc.training.join_workers()


@pytest.mark.parametrize(("node", "local", "own"), [("n2", "0", 2), ("n10", "0", 0), ("n10", "1", 1)])
def test_slurm_is_read_however_hosts_are_sorted(monkeypatch, node, local, own):
    set_slurm(
        monkeypatch,
        SLURM_STEP_NODELIST="n[2,10]",
        SLURM_STEP_TASKS_PER_NODE="1,2",
        SLURM_STEP_NUM_TASKS="3",
        # By number, as Slurm counts, n2 would be the first.
        SLURM_PROCID="0",
        SLURMD_NODENAME=node,
        SLURM_LOCALID=local,
    )
    resolver = workers._resolver(7000)
    assert resolver.cluster_spec().as_dict() == {"worker": ["n10:7000", "n10:7001", "n2:7000"]}
    assert resolver.task_id == own


def test_slurm_without_this_machine_is_refused(monkeypatch):
    set_slurm(
        monkeypatch,
        SLURM_STEP_NODELIST="n[1-2]",
        SLURM_STEP_TASKS_PER_NODE="1(x2)",
        SLURM_STEP_NUM_TASKS="2",
        SLURM_PROCID="0",
        SLURMD_NODENAME="n3",
        SLURM_LOCALID="0",
    )
    with pytest.raises(TrainingError, match="define no cluster with it"):
        bc.training.join_workers()
