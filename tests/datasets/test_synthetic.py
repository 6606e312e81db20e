import numpy as np
import pytest

import trainkit.datasets as datasets
from trainkit.datasets import SyntheticDigits
from trainkit.errors import ArgumentError


@pytest.fixture(scope="module")
def train():
    return SyntheticDigits(4000)


@pytest.fixture(scope="module")
def test():
    return SyntheticDigits(500, train=False)


def test_it_looks_like_mnist_to_a_program(train):
    assert (train.images.shape, train.images.dtype) == ((4000, 28, 28), np.uint8)
    assert (train.labels.shape, train.labels.dtype) == ((4000,), np.int64)
    assert train.classes == datasets.MNIST.classes
    x, y = train.arrays()
    assert (x.shape, x.dtype, y.dtype) == ((4000, 1, 28, 28), np.float32, np.int64)
    np.testing.assert_array_equal(train[7][0], x[7], strict=True)


def test_it_says_that_it_is_not_mnist(train):
    assert train.source == "synthetic digits (drawn, not MNIST)"
    assert repr(train) == "SyntheticDigits(train, 4000 images of 28 x 28, seed 0, drawn)"


def test_the_seed_decides_every_bit(train):
    again = SyntheticDigits(4000, seed=0)
    np.testing.assert_array_equal(again.images, train.images)
    np.testing.assert_array_equal(again.labels, train.labels)
    assert not np.array_equal(SyntheticDigits(100, seed=1).images, train.images[:100])


@pytest.mark.parametrize("count", [1, 255, 256, 257])
def test_fewer_are_the_first_of_many(count, train):
    few = SyntheticDigits(count)
    np.testing.assert_array_equal(few.images, train.images[:count])
    np.testing.assert_array_equal(few.labels, train.labels[:count])


def test_no_test_image_is_a_training_image(train, test):
    seen = {image.tobytes() for image in train.images}
    assert len(seen) == len(train)
    assert not any(image.tobytes() in seen for image in test.images)


def test_digits_are_alike_in_number_and_ink(train):
    assert np.bincount(train.labels, minlength=10).min() > 320
    assert train.images.mean() / 255 == pytest.approx(SyntheticDigits.mean, abs=0.004)
    assert train.images.std() / 255 == pytest.approx(SyntheticDigits.std, abs=0.006)
    assert (train.images.max(axis=(1, 2)) > 128).all()
    border = np.concatenate([train.images[:, [0, -1]].ravel(), train.images[:, :, [0, -1]].ravel()])
    assert border.mean() < 2
    assert train.images.std(axis=0).max() > 80


def test_the_task_is_neither_trivial_nor_hopeless(train, test):
    x, y = train.images.reshape(4000, -1).astype(np.float32), train.labels
    x_test = test.images.reshape(500, -1).astype(np.float32)

    def nearest(points):
        return ((points**2).sum(axis=1) - 2 * x_test @ points.T).argmin(axis=1)

    centroids = np.stack([x[y == digit].mean(axis=0) for digit in range(10)])
    by_centroid = (nearest(centroids) == test.labels).mean()
    by_neighbour = (y[nearest(x)] == test.labels).mean()
    assert 0.6 < by_centroid < 0.9
    assert by_neighbour > 0.92


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"count": 0}, "count of at least 1, got 0"), ({"seed": -1}, "seed of at least 0, got -1")],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        SyntheticDigits(**arguments)


def test_default_counts():
    assert len(SyntheticDigits(train=False)) == 2000


def test_the_door_is_complete():
    assert all(hasattr(datasets, name) for name in datasets.__all__)
    assert datasets.__all__ == sorted(
        datasets.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
