"""Joining several machines, or several processes, for one training."""

from __future__ import annotations

import json
import os
from typing import Any

from breastcls.errors import TrainingError
from breastcls.keras_backend import find_backend

# TensorFlow joins other machines once per process, so this is a property of the process.
_joined: list[Any] = []


def join_workers(*, port: int = 8888) -> Any:
    """Join the other machines of a training; call it first in the script, before anything is built or read.

    TensorFlow can connect to other machines only before its first computation, so before a model is built. The same
    script runs on every machine; each waits here until all of them have called this, and
    `fit(..., devices="multi-worker")` then trains on all of them together. Calling it again returns the same strategy.

    The machines are read from `TF_CONFIG`, or, if that is not set, from the variables that Slurm sets for each task
    that `srun` starts.

    Args:
        port: Under Slurm, the port of the first task of each machine; the second task has the next one, and so on.
            `TF_CONFIG` contains its own ports.

    Returns:
        A `tf.distribute.MultiWorkerMirroredStrategy`.

    Raises:
        TrainingError: If neither defines the machines, TensorFlow has computed something already, or Keras runs on
            another backend.

    Example:
        >>> import breastcls as bc
        >>> strategy = bc.training.join_workers()  # doctest: +SKIP
        >>> bc.fit(model, train, val, devices="multi-worker")  # doctest: +SKIP
    """
    if _joined:
        return _joined[0]
    if (backend := find_backend()) != "tensorflow":
        raise TrainingError(
            f"join_workers() connects machines for a training with TensorFlow; the backend of Keras is {backend}. "
            "Start Python with KERAS_BACKEND=tensorflow."
        )
    resolver = _resolver(port)
    import tensorflow as tf

    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise TrainingError(
            "join_workers() was called too late: TensorFlow has computed something already. Call it first in the "
            "script, right after the imports."
        ) from error
    _joined.append(strategy)
    return strategy


def joined_workers() -> Any:
    """Return the strategy that `join_workers` made, or None if it was not called."""
    return _joined[0] if _joined else None


def _resolver(port: int) -> Any:
    """Return the cluster resolver: all addresses, and which of them is this process."""
    if os.environ.get("TF_CONFIG"):
        cluster, task, index = _read_tf_config(os.environ["TF_CONFIG"])
    elif "SLURM_STEP_NODELIST" in os.environ:
        cluster, task, index = _ask_slurm(port)
    else:
        raise TrainingError(
            "join_workers() cannot find the other machines: TF_CONFIG is not set, and this process was not started by "
            "srun. On one machine leave it out, and use devices='mirrored' for several GPUs."
        )
    import tensorflow as tf

    resolvers = tf.distribute.cluster_resolver
    return resolvers.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), task_type=task, task_id=index, rpc_layer="grpc"
    )


def _read_tf_config(text: str) -> tuple[dict[str, list[str]], str, int]:
    try:
        values = json.loads(text)
        cluster = {str(job): [str(address) for address in addresses] for job, addresses in values["cluster"].items()}
        task, index = str(values["task"]["type"]), int(values["task"]["index"])
        known = cluster[task][index] if index >= 0 else None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise TrainingError(
            f"TF_CONFIG is {text!r}, which defines no cluster with this process in it "
            f"({type(error).__name__}: {error}). "
            'Expected {"cluster": {"worker": ["host1:port", "host2:port"]}, "task": {"type": "worker", "index": 0}}, '
            "with another index on each machine."
        ) from error
    if known is None or not set(cluster) <= {"chief", "worker"}:
        raise TrainingError(f"TF_CONFIG is {text!r}: expected jobs 'worker' (and 'chief') only, and an index from 0.")
    return cluster, task, index


def _ask_slurm(port: int) -> tuple[dict[str, list[str]], str, int]:
    import tensorflow as tf

    try:
        # Slurm itself sets the GPUs of a task. The resolver would count them by nvidia-smi, which fails on machines
        # without GPUs, and set them again; so it is given a number larger than any machine has.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=port, gpus_per_node=1 << 20, gpus_per_task=1, auto_set_gpu=False
        )
        addresses = resolver.cluster_spec().as_dict()["worker"]
        own = f"{os.environ['SLURMD_NODENAME']}:{port + int(os.environ['SLURM_LOCALID'])}"
        # Not SLURM_PROCID: the resolver sorts hosts by the alphabet, n10 before n2, and Slurm by number.
        return {"worker": list(addresses)}, "worker", addresses.index(own)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"The variables of Slurm for this task define no cluster with it ({type(error).__name__}: {error}). Start "
            "the script by srun inside the job, one task per machine, or set TF_CONFIG."
        ) from error
