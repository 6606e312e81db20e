"""All workloads: of each file of the family, what it calls WORKLOADS."""

from dataclasses import replace

from benchmarks import conv, elementwise, finetune, fit, losses, norm, pooling, workloads
from benchmarks.workloads import Workload

__all__ = ["WORKLOADS"]


def grouped(group: str, workloads: dict[str, Workload]) -> dict[str, Workload]:
    """Return workloads that are measured in one process, on one thread: kernels alone."""
    return {name: replace(workload, group=group, threads=False) for name, workload in workloads.items()}


WORKLOADS: dict[str, Workload] = {
    **workloads.WORKLOADS,
    **conv.WORKLOADS,
    **grouped("conv", conv.KERNELS),
    **fit.WORKLOADS,
    **grouped("elementwise", elementwise.WORKLOADS),
    **grouped("losses", losses.WORKLOADS),
    **grouped("norm", norm.WORKLOADS),
    **grouped("pooling", pooling.WORKLOADS),
    **finetune.WORKLOADS,
}
