"""Optimizers, losses and metrics by name."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainkit import nn, optim
from trainkit.errors import ArgumentError
from trainkit.metrics import Average, Metric, MetricCollection, names
from trainkit.trainer.losses import BatchLoss

__all__ = ["MeanLoss", "find_loss", "find_metrics", "find_optimizer"]

_OPTIMIZERS = {
    name.lower(): getattr(optim, name) for name in optim.__all__ if name[0].isupper() and name != "Optimizer"
}
_LOSSES = {
    "bce": "BCELoss",
    "bce_with_logits": "BCEWithLogitsLoss",
    "cross_entropy": "CrossEntropyLoss",
    "gaussian_nll": "GaussianNLLLoss",
    "hinge_embedding": "HingeEmbeddingLoss",
    "huber": "HuberLoss",
    "kl_div": "KLDivLoss",
    "l1": "L1Loss",
    "mae": "L1Loss",
    "mse": "MSELoss",
    "nll": "NLLLoss",
    "smooth_l1": "SmoothL1Loss",
}


def find_optimizer(optimizer: Any, model: nn.Module) -> Any:
    """Return an optimizer as it is, or make the one of a name, or of a name with options.

    Raises:
        ArgumentError: there is no such name, or it is something else.
    """
    if isinstance(optimizer, (str, tuple)):
        return _make("optimizer", optimizer, _OPTIMIZERS)(list(model.parameters()))
    if optimizer is not None and not (hasattr(optimizer, "step") and hasattr(optimizer, "param_groups")):
        hint = "; make one: give it the parameters" if isinstance(optimizer, type) else ""
        raise ArgumentError(f"the optimizer must be an optimizer or a name, got {optimizer!r}{hint}")
    return optimizer


def find_loss(loss: Any) -> Any:
    """Return a callable of prediction and target: as it is, of a name, or of several for several outputs.

    Raises:
        ArgumentError: there is no such name, or it is something else.
    """
    named = isinstance(loss, tuple) and len(loss) == 2 and isinstance(loss[1], Mapping)
    if isinstance(loss, str) or named:
        return _make("loss", loss, _LOSSES)()
    if isinstance(loss, Mapping):
        return {key: find_loss(part) for key, part in loss.items()}
    if isinstance(loss, (tuple, list)):
        return [find_loss(part) for part in loss]
    if loss is not None and (not callable(loss) or isinstance(loss, type)):
        hint = "; make one: add the brackets" if isinstance(loss, type) else ""
        raise ArgumentError(f"the loss must be a function of prediction and target, or a name, got {loss!r}{hint}")
    return loss


def _make(what: str, given: Any, table: Mapping[str, Any]) -> Callable[..., Any]:
    name, options = (given, {}) if isinstance(given, str) else given if len(given) == 2 else (None, None)
    if not isinstance(name, str) or not isinstance(options, Mapping):
        raise ArgumentError(f"the {what} must be a name or (name, {{option: value}}), got {given!r}")
    if name not in table:
        raise ArgumentError(f"there is no {what} named {name!r}; there are {', '.join(table)}, or give an object")

    def make(*args: Any) -> Any:
        try:
            kind = table[name]
            return (getattr(nn, kind) if isinstance(kind, str) else kind)(*args, **options)
        except TypeError as error:
            raise ArgumentError(f"the {what} {name!r} does not take the options {dict(options)}: {error}") from error

    return make


def find_metrics(metrics: Sequence[Any] | Mapping[str, Any]) -> MetricCollection:
    """Name the metrics and put the loss, weighed by examples, in front; they are copies.

    Raises:
        ArgumentError: two have one name, or one is neither a metric, nor a function, nor a name.
    """
    if isinstance(metrics, (str, Metric)):
        metrics = [metrics]
    named: dict[str, Any] = dict(metrics) if isinstance(metrics, Mapping) else {}
    for metric in [] if isinstance(metrics, Mapping) else metrics:
        name = metric if isinstance(metric, str) else _name_of(metric)
        if name in named:
            raise ArgumentError(f"two metrics are named {name!r}; give a dict with names of your own")
        named[name] = metric
    if "loss" in named:
        raise ArgumentError("'loss' is the name of the loss's own mean; give your metric another one")
    collection = MetricCollection({"loss": MeanLoss()})
    for name, metric in named.items():
        collection[name] = _metric(metric)
        collection[name].default_transform(_prediction_and_target)
    return collection


def _prediction_and_target(output: Any) -> tuple[Any, Any]:
    return output.y_pred, output.y


def _name_of(metric: Any) -> str:
    if isinstance(metric, Metric):
        return type(metric).__name__.lower()
    name = getattr(metric, "__name__", "")
    if not callable(metric) or isinstance(metric, type) or name in ("", "<lambda>"):
        hint = "; make one: add the brackets" if isinstance(metric, type) else "; name it in a dict" if name else ""
        raise ArgumentError(f"metrics must be names, Metric objects or functions with a name, got {metric!r}{hint}")
    return str(name)


def _metric(given: Any) -> Metric:
    if isinstance(given, str):
        return names.get(given)
    if isinstance(given, Metric):
        return copy.deepcopy(given)
    if callable(given) and not isinstance(given, type):
        return _Mean(given)
    raise ArgumentError(f"metrics must be names, Metric objects or functions of prediction and target, got {given!r}")


class MeanLoss(Metric):
    """The mean of the steps' losses over examples."""

    higher_is_better = False
    state_names = ("total", "count")

    def reset(self) -> None:
        """Forget all steps."""
        self.total, self.count = 0.0, 0

    def take(self, output: Any) -> None:
        """Take in a StepOutput as it is: every step pays for this."""
        self.total += output.loss * output.size
        self.count += output.size

    update = take

    def compute(self) -> float:
        """Return the mean.

        Raises:
            NotComputableError: there were no examples.
        """
        self._need(self.count)
        return self.total / self.count


class _Mean(Average):
    """The mean over examples of a function of prediction and target, itself a mean over the batch."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self.function = function
        super().__init__(lambda output: (BatchLoss(function)(output.y_pred, output.y).item(), output.size))
