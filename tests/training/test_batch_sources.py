import numpy as np

from breastcls.training.batch_sources import ImageBatches


def test_an_epoch_is_a_function_of_its_number_and_begins_at_any_batch(parts):
    data = parts[0]
    source = ImageBatches(data, image_size=(32, 32), batch_size=8, shuffle=True, augment="dihedral", seed=3)

    def read(epoch, first=0):
        return [(np.asarray(images), np.asarray(labels)) for images, labels in source.batches(epoch, first)]

    second, first = read(1), read(0)
    assert len(first) == source.steps == -(-len(data) // 8)
    assert not np.array_equal(first[0][0], second[0][0])
    later = read(1, 2)
    assert len(later) == source.steps - 2
    for (images, labels), (expected, expected_labels) in zip(later, second[2:], strict=True):
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(labels, expected_labels)


def test_a_policy_that_mixes_images_gives_shares_of_the_classes(parts):
    source = ImageBatches(parts[0], image_size=(32, 32), batch_size=8, shuffle=True, augment="mixup", seed=3)
    _, labels = next(source.batches(0))
    assert labels.shape == (8, 2)
    np.testing.assert_allclose(np.asarray(labels).sum(axis=1), 1, atol=1e-6)
