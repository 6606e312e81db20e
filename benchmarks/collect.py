"""All workloads, in the sections of RESULTS.md."""

from dataclasses import dataclass, replace

from benchmarks import conv, elementwise, finetune, fit, losses, norm, pooling, workloads
from benchmarks.workloads import Workload

__all__ = ["SECTIONS", "WORKLOADS", "Section"]


@dataclass(frozen=True)
class Section:
    """Workloads that stand in one table.

    Attributes:
        title: its headline.
        workloads: the rows, by the names that `--only` takes.
        columns: what is told beside times and ratios: "memory", or "GFLOP/s" and "of the peak".
        text: what is said before the table.
        mean: whether the geometric mean of the ratios is told.
    """

    title: str
    workloads: dict[str, Workload]
    columns: tuple[str, ...] = ()
    text: str = ""
    mean: bool = False


def alone(group: str, workloads: dict[str, Workload]) -> dict[str, Workload]:
    """Return workloads that are measured in one process, on one thread: kernels alone."""
    return {name: replace(workload, group=group, threads=False) for name, workload in workloads.items()}


_MEMORY = "The last column is the most memory of the two processes, trainkit's first."
_NETS = {**workloads.NETS, **conv.NETS}
_ORDER = ("perceptron", "perceptron_sgd", "ignite_net", "batch_norm", "example", "strided", "resnet18")
_FLOPS = (
    "GFLOP/s and their share of the peak, trainkit's first. The peak is that of one thread in float32, measured in the "
    "same run with multiply-adds on registers and the first-level cache alone. What is counted is 2 N F OH OW C kh kw, "
    "C being the channels of a group, as on paper: Winograd's way takes fewer products, so that it may exceed 100 %."
)

SECTIONS = {
    "nets": Section(
        "Nets", {name: _NETS[name] for name in dict.fromkeys((*_ORDER, *_NETS))}, ("memory",), _MEMORY, True
    ),
    "conv": Section("Convolutions alone", alone("conv", conv.KERNELS), ("GFLOP/s", "of the peak"), _FLOPS),
    "elementwise": Section("Streaming ops", alone("elementwise", elementwise.WORKLOADS)),
    "losses": Section("Losses, embedding and activations", alone("losses", losses.WORKLOADS)),
    "norm": Section("Normalisation and dropout", alone("norm", norm.WORKLOADS)),
    "pooling": Section("Pooling, resizing and padding", alone("pooling", pooling.WORKLOADS)),
    "small": Section("Small recorded ops", alone("small", workloads.SMALL)),
    "engine": Section(
        "Engine, fit and fine-tuning",
        {**alone("engine", workloads.ENGINE), **workloads.SUPERVISED, **fit.WORKLOADS, **finetune.WORKLOADS},
        ("memory",),
        _MEMORY,
    ),
}
WORKLOADS = {name: workload for section in SECTIONS.values() for name, workload in section.workloads.items()}
