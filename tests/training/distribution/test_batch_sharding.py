import numpy as np
import pytest

from breastcls.images.epoch_order import BatchPart
from breastcls.training.distribution.batch_sharding import ShardedBatches


class Whole:
    """Batches of 4 of 10 images; an image is its number, its label that times ten plus the epoch."""

    steps = 3

    def batches(self, epoch, first=0):
        for number in range(first, 3):
            rows = np.arange(10)[number * 4 : number * 4 + 4]
            yield rows, rows * 10 + epoch


class InPart(Whole):
    def __init__(self, part):
        self.part = part

    def batches(self, epoch, first=0):
        for rows, labels in super().batches(epoch, first):
            places = self.part.places(len(rows))
            yield rows[places], labels[places]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("workers", "devices"), [(1, 1), (1, 2), (2, 1), (3, 1), (2, 2)])
@pytest.mark.parametrize("first", [0, 2])
def test_the_parts_make_up_the_batch(workers, devices, whole, first):
    parts = [BatchPart(worker, workers, devices) for worker in range(workers)]
    sources = [ShardedBatches(Whole() if whole else InPart(part), part, 10, 4, whole=whole) for part in parts]
    shards_of = [list(source.batches(5, first)) for source in sources]
    expected = list(Whole().batches(5, first))
    assert [len(batches) for batches in shards_of] == [len(expected)] * workers
    for number, (rows, labels) in enumerate(expected):
        shards = [batches[number] for batches in shards_of]
        assert len({len(inputs) for inputs, _ in shards}) == 1
        assert len(shards[0][0]) % devices == 0
        assert np.concatenate([inputs[: shard.own] for inputs, shard in shards]).tolist() == rows.tolist()
        counted = [shard.labels[: shard.own] for _, shard in shards]
        assert np.concatenate(counted).tolist() == labels.tolist()
        for inputs, shard in shards:
            assert shard.total == len(rows)
            assert (np.asarray(shard.labels) == inputs * 10 + 5).all()
    assert sources[0].steps == 3
