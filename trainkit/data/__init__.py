"""Data sets and loaders."""

from trainkit.data.dataset import Dataset, Subset, TensorDataset, random_split
from trainkit.data.loader import DataLoader, default_collate
from trainkit.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = [
    "BatchSampler",
    "DataLoader",
    "Dataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "TensorDataset",
    "default_collate",
    "random_split",
]
