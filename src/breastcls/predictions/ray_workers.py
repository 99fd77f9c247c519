"""Parts of a large output that are predicted by the workers of a Ray cluster.

A worker imports this file before it limits the number of its threads, so TensorFlow is imported later.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from breastcls import errors
from breastcls.errors import BreastclsError, BreastclsWarning, EvaluationError, ImageError

if TYPE_CHECKING:
    from breastcls.predictions.part_job import PartJob

# Ray restarts workers endlessly. A file that ends its worker each time would never be passed.
_ATTEMPTS = 4


@dataclass(frozen=True)
class RayWorkers:
    """Workers of a Ray cluster, each of which loads the model once.

    The cluster is the one that `ray.init` has connected to, or that the environment variable `RAY_ADDRESS` names;
    otherwise one is started on this machine, and stopped at the end. Images, output and a model that is given as a path
    must have the same paths on all machines. It needs the extra `breastcls[ray]`.

    Attributes:
        count: Number of workers.
        cpus: Processor cores of each.
        gpus: GPUs of each; a fraction shares one.

    Raises:
        EvaluationError: If a number is not positive.

    Example:
        >>> RayWorkers(4, cpus=2)
        RayWorkers(count=4, cpus=2, gpus=0)
    """

    count: int
    cpus: float = 1
    gpus: float = 0

    def __post_init__(self) -> None:
        if self.count < 1 or self.cpus <= 0 or self.gpus < 0:
            raise EvaluationError(f"{self}: expected at least one worker with at least a part of a core each.")


def run_parts(
    job: PartJob, model: str | os.PathLike[str], numbers: Sequence[int], workers: RayWorkers
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Predict parts on a Ray cluster by Ray Data, and yield the number and the record of each as they are finished.

    A part whose worker is killed is predicted again, three times at most.

    Args:
        job: What the parts consist of.
        model: The model file.
        numbers: The parts.
        workers: The workers.

    Raises:
        ImageError: If an image cannot be read and the options of the job say "raise".
        EvaluationError: If Ray is not installed or cannot run a worker, or a part has ended its worker four times.
    """
    ray = _import_ray()
    with _connected(ray, workers), _quiet(ray):
        job.parts.forget_attempts()
        # The list of files is sent once to each machine, not with each part.
        shared = ray.put(job)
        parts = ray.data.from_items([{"number": number} for number in numbers], override_num_blocks=len(numbers))
        records = parts.map(
            _Worker,
            fn_constructor_args=([shared], os.path.abspath(model), workers.cpus),
            compute=ray.data.ActorPoolStrategy(size=min(workers.count, len(numbers)), max_tasks_in_flight_per_actor=1),
            num_cpus=workers.cpus,
            num_gpus=workers.gpus,
        )
        shown: set[tuple[str, str]] = set()
        try:
            for row in records.iter_rows():
                answer = json.loads(row["answer"])
                _warn_once(answer["warnings"], shown)
                if answer["error"] is not None:
                    raise _rebuild_error(*answer["error"])
                yield int(row["number"]), answer["record"]
        except ray.exceptions.RayError as error:
            raise EvaluationError(
                "Ray cannot run a worker. The parts that are written are kept: the same call continues. Ray's message: "
                f"{' '.join(str(error).split())[:500]}"
            ) from error


class _Worker:
    """Predicts parts in a process of the cluster. An error of ours is returned: if raised, Ray would try again."""

    def __init__(self, job: list[Any], model: str, cpus: float) -> None:
        # Without a limit, each worker would use all cores of its machine. It must be set before TensorFlow is imported.
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, int(cpus))))
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import ray

        from breastcls.models.persistence import load_model

        self._job: PartJob = ray.get(job[0])
        self._model = load_model(model)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        number = int(row["number"])
        record, error = None, None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", BreastclsWarning)
            try:
                if self._job.parts.count_attempt(number) > _ATTEMPTS:
                    raise EvaluationError(
                        f"Part {number} has ended its worker {_ATTEMPTS} times, with images from "
                        f"{self._job.files.part(number).paths[0]} on. Ray's log may name the reason."
                    )
                record = self._job.run(self._model, number)
            except BreastclsError as raised:
                error = (type(raised).__name__, "\n".join([str(raised), *getattr(raised, "__notes__", ())]))
        messages = [
            (one.category.__name__, str(one.message)) for one in caught if issubclass(one.category, BreastclsWarning)
        ]
        return {"number": number, "answer": json.dumps({"record": record, "error": error, "warnings": messages})}


def _warn_once(messages: Sequence[Sequence[str]], shown: set[tuple[str, str]]) -> None:
    for name, text in messages:
        if (name, text) not in shown:
            shown.add((name, text))
            warnings.warn(text, getattr(errors, name), stacklevel=5)


def _rebuild_error(name: str, text: str) -> BreastclsError:
    kind = getattr(errors, name, ImageError)
    error: BreastclsError = kind(text)
    return error


def _import_ray() -> Any:
    # Ray reports its use to its makers unless this is set before it is imported.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise EvaluationError('Workers of a Ray cluster need the package ray: pip install "breastcls[ray]".') from error
    return ray


@contextlib.contextmanager
def _connected(ray: Any, workers: RayWorkers) -> Iterator[None]:
    """Connect to a cluster unless the caller has done so, and disconnect from one that was started here."""
    if ray.is_initialized():
        yield
        return
    local: dict[str, Any] = {}
    if not os.environ.get("RAY_ADDRESS"):
        cores = max(os.cpu_count() or 1, int(-(-workers.count * workers.cpus // 1)))
        local = {"num_cpus": cores, "include_dashboard": False}
    with _signal_handler_kept():
        try:
            ray.init(log_to_driver=False, logging_level=logging.WARNING, **local)
            yield
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _signal_handler_kept() -> Iterator[None]:
    """Restore the handler of SIGTERM at the end: in the main thread, `ray.init` sets another and never removes it."""
    number = getattr(signal, "SIGBREAK", signal.SIGTERM)  # On Windows, Ray handles SIGBREAK in its place.
    previous = signal.getsignal(number)
    try:
        yield
    finally:
        # A handler that was not set by Python is None, and Python cannot set it again.
        if previous is not None and threading.current_thread() is threading.main_thread():
            signal.signal(number, previous)


@contextlib.contextmanager
def _quiet(ray: Any) -> Iterator[None]:
    """Switch the progress bars and the notes of Ray Data off for a while: the caller shows the progress."""
    context, log = ray.data.DataContext.get_current(), logging.getLogger("ray.data")
    bars, level = context.enable_progress_bars, log.level
    context.enable_progress_bars = False
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        context.enable_progress_bars = bars
        log.setLevel(level)
