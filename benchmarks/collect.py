"""All workloads: of each file of the family, what it calls WORKLOADS."""

from benchmarks import finetune, fit, losses, norm, pooling, workloads
from benchmarks.workloads import Workload

__all__ = ["WORKLOADS"]

WORKLOADS: dict[str, Workload] = {
    **workloads.WORKLOADS,
    **fit.WORKLOADS,
    **losses.WORKLOADS,
    **norm.WORKLOADS,
    **pooling.WORKLOADS,
    **finetune.WORKLOADS,
}
