"""Parts of a model that stay as they are for a while, and parts that learn more slowly than others."""

import logging
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from trainkit.callbacks.callback import Callback
from trainkit.callbacks.monitor import Monitor, MonitorCallback
from trainkit.callbacks.values import model_of
from trainkit.engine import Engine
from trainkit.engine.events import checked_integer
from trainkit.errors import ArgumentError
from trainkit.nn.freeze import chosen_names, frozen_names, load_frozen_names
from trainkit.optim.lr_scheduler.base import set_value

__all__ = ["DiscriminativeLR", "Freeze", "GradualUnfreezing", "Unfreeze"]

_log = logging.getLogger("trainkit.callbacks")
_FACTOR = "lr_factor"  # what a group's rate was multiplied by; a key of the group, and so part of the optimizer's state


class _Freezing(MonitorCallback):
    """What changes which parts are frozen; a run that goes on has those frozen that were."""

    monitor: Monitor | None

    def __init__(self, monitor: str | None = None, mode: str = "auto", min_delta: float = 0.0) -> None:
        super().__init__(monitor, mode, min_delta)

    def on_train_begin(self) -> None:
        """Look for the model."""
        super().on_train_begin()
        model_of(self)

    def state_dict(self) -> dict[str, Any]:
        """Return the names that are frozen."""
        return {**super().state_dict(), "frozen": frozen_names(self.trainer.model)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Freeze what was frozen, whatever was done when this run began."""
        super().load_state_dict(state_dict)
        load_frozen_names(self.trainer.model, state_dict["frozen"])


class Freeze(_Freezing):
    """Let parts of the model stay as they are from the beginning of the run on: `trainer.freeze`.

    They stay frozen when it ends.

    Args:
        targets: as for `nn.freeze`: modules, patterns of names, functions of name and tensor; all if there are none.

    Raises:
        ArgumentError: when training begins, a target fits nothing in the model, or there is no Trainer.

    >>> import trainkit as tk
    >>> net = tk.nn.Sequential(tk.nn.Linear(2, 3), tk.nn.Linear(3, 1))
    >>> trainer = tk.Trainer(net, "sgd", "mse")
    >>> history = trainer.fit(tk.ones(4, 2), tk.ones(4, 1), callbacks=[Freeze("0.*")], verbose=0)
    >>> trainer.frozen
    ['0.weight', '0.bias']
    """

    def __init__(self, *targets: Any) -> None:
        super().__init__()
        self.targets = targets

    def on_train_begin(self) -> None:
        """Freeze them."""
        super().on_train_begin()
        self.trainer.freeze(*self.targets)


class Unfreeze(_Freezing):
    """Let frozen parts learn from an epoch on, or when a value has not got better for some epochs.

    Args:
        targets: as for `nn.unfreeze`; all that is frozen if there are none.
        epoch: the first epoch in which they learn.
        monitor: or the name of a value; they learn from the epoch on after which it is waited no longer.
        patience: epochs without a better value.
        mode: "max" if higher is better, "min" if lower is, "auto" asks the metric.
        min_delta: by how much a value must be better to count.
        lr_factor: multiplies the rates of all groups when they begin to learn. Schedules that compute the rate of each
            step from the first one undo that; `DiscriminativeLR` and they go together.

    Raises:
        ArgumentError: an option does not fit; or, when training begins, a target fits nothing in the model, there is no
            such value, or no Trainer.

    >>> import trainkit as tk
    >>> net = tk.nn.Sequential(tk.nn.Linear(2, 3), tk.nn.Linear(3, 1))
    >>> trainer = tk.Trainer(net, ("sgd", {"lr": 0.5}), "mse")
    >>> callbacks = [Freeze("0.*"), Unfreeze(epoch=3, lr_factor=0.1)]
    >>> history = trainer.fit(tk.ones(4, 2), tk.ones(4, 1), epochs=3, callbacks=callbacks, verbose=0)
    >>> trainer.frozen, [row["lr"] for row in history]
    ([], [0.5, 0.5, 0.05])
    """

    def __init__(
        self,
        *targets: Any,
        epoch: int | None = None,
        monitor: str | None = None,
        patience: int = 1,
        mode: str = "auto",
        min_delta: float = 0.0,
        lr_factor: float = 1.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if (epoch is None) == (monitor is None):
            raise ArgumentError("Unfreeze takes an epoch or a monitor: Unfreeze(epoch=5), Unfreeze(monitor='val_loss')")
        self.targets = targets
        self.epoch = None if epoch is None else checked_integer("epoch", epoch, 1)
        self.patience = checked_integer("patience", patience, 1)
        self.lr_factor = _checked_factor(lr_factor)
        self.waited, self.done = 0, False

    def on_train_begin(self) -> None:
        """Check the targets, and begin to wait."""
        super().on_train_begin()
        chosen_names(self.trainer.model, self.targets, "Unfreeze")
        self.waited, self.done = 0, False

    def on_epoch_begin(self) -> None:
        """Unfreeze, if it is time."""
        if self.epoch is not None and not self.done and self.state.epoch >= self.epoch:
            self._unfreeze()

    def on_epoch_end(self) -> None:
        """Count, and unfreeze for the next epoch."""
        if self.monitor is None or self.done:
            return
        if self.monitor.improves(self.monitor.value(self)):
            self.waited = 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self._unfreeze()

    def _unfreeze(self) -> None:
        self.done = True
        names = self.trainer.unfreeze(*self.targets)
        if not names:
            return
        _log.info("epoch %d: %d names are not frozen any more", self.state.epoch, len(names))
        if self.lr_factor != 1:
            for group in self.trainer.optimizer.param_groups:
                for key in ("lr", "initial_lr"):
                    if key in group:
                        set_value(group, key, group[key] * self.lr_factor)

    def state_dict(self) -> dict[str, Any]:
        """Return what is frozen, and how long it has been waited."""
        return {**super().state_dict(), "waited": self.waited, "done": self.done}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on to wait."""
        super().load_state_dict(state_dict)
        self.waited, self.done = state_dict["waited"], state_dict["done"]


class GradualUnfreezing(_Freezing):
    """Freeze groups of layers, and let one after the other learn again.

    Args:
        groups: in the order in which they are unfrozen, as a rule from the head down; each a target of `nn.freeze`, or
            a list of targets. What is in none of them learns from the beginning.
        every: epochs from one group to the next.
        start: the first epoch in which the first group learns; `every + 1` by default.
        lr_factor: give each group this part of the rate of the one before, the first one of the optimizer's.

    Raises:
        ArgumentError: an option does not fit; or a group fits nothing in the model, or there is no Trainer.

    Source: Howard and Ruder, 2018, https://arxiv.org/abs/1801.06146.

    >>> import trainkit as tk
    >>> net = tk.nn.Sequential(tk.nn.Linear(2, 3), tk.nn.Linear(3, 3), tk.nn.Linear(3, 1))
    >>> trainer = tk.Trainer(net, "sgd", "mse", callbacks=[GradualUnfreezing(["1.*", "0.*"])])
    >>> history = trainer.fit(tk.ones(4, 2), tk.ones(4, 1), epochs=2, verbose=0)
    >>> trainer.frozen
    ['0.weight', '0.bias']
    """

    def __init__(
        self, groups: Sequence[Any], every: int = 1, start: int | None = None, lr_factor: float | None = None
    ) -> None:
        super().__init__()
        if isinstance(groups, str) or not isinstance(groups, Sequence) or not groups:
            raise ArgumentError(f"groups must be a list of targets, or of lists of targets, got {groups!r}")
        self.groups = [list(group) if isinstance(group, (list, tuple)) else [group] for group in groups]
        self.every = checked_integer("every", every, 1)
        self.start = self.every + 1 if start is None else checked_integer("start", start, 1)
        self.lr_factor = None if lr_factor is None else _checked_factor(lr_factor)
        self.unfrozen = 0

    def attach(self, engine: Engine, evaluator: Engine | None = None) -> None:
        """Register the hooks, and split the optimizer's groups, before a state of theirs is loaded."""
        super().attach(engine, evaluator)
        self._split()

    def _split(self) -> None:
        if self.lr_factor is None or model_of(self) is None or self.trainer.optimizer is None:
            return
        factors: dict[str, float] = {}
        for place, targets in enumerate(self.groups):
            for name in chosen_names(self.trainer.model, targets, "GradualUnfreezing"):
                factors.setdefault(name, self.lr_factor ** (place + 1))
        _split_groups(self.trainer.optimizer, self.trainer.model, lambda name: factors.get(name, 1.0))

    def on_train_begin(self) -> None:
        """Freeze all groups."""
        super().on_train_begin()
        self._split()  # the optimizer may be another one by now
        self.unfrozen = 0
        for targets in self.groups:
            self.trainer.freeze(*targets)

    def on_epoch_begin(self) -> None:
        """Unfreeze the next group, if it is time."""
        while self.unfrozen < len(self.groups) and self.state.epoch >= self.start + self.unfrozen * self.every:
            self.trainer.unfreeze(*self.groups[self.unfrozen])
            self.unfrozen += 1


class DiscriminativeLR(Callback):
    """Let the earlier layers of the model learn more slowly than the later ones.

    The optimizer's groups are split by layers when the callback is attached; their options, and the optimizer's state,
    stay as they are but for the rate. The group with the largest rate comes first, so that "lr" in the metrics is its
    rate. The groups stay split: a state that is loaded later must be of groups that are split alike.

    Args:
        factor: each layer has this part of the rate of the next, the last one that of the optimizer; a layer is a part
            of the model that has parameters. Or a dict from patterns of names to the factor of their parameters, of
            which the first that fits counts; others keep their rate.

    Raises:
        ArgumentError: a factor is not more than 0, a pattern fits no parameter, or there is no Trainer.

    Source: Howard and Ruder, 2018, https://arxiv.org/abs/1801.06146.

    >>> import trainkit as tk
    >>> net = tk.nn.Sequential(tk.nn.Linear(2, 3), tk.nn.Linear(3, 3), tk.nn.Linear(3, 1))
    >>> trainer = tk.Trainer(net, ("sgd", {"lr": 1.0}), "mse", callbacks=[DiscriminativeLR(0.5)])
    >>> [group["lr"] for group in trainer.optimizer.param_groups]
    [1.0, 0.5, 0.25]
    """

    def __init__(self, factor: float | Mapping[str, float]) -> None:
        if isinstance(factor, Mapping):
            self.factor: Any = {str(pattern): _checked_factor(value) for pattern, value in factor.items()}
        else:
            self.factor = _checked_factor(factor)

    def attach(self, engine: Engine, evaluator: Engine | None = None) -> None:
        """Register the hooks, and split the optimizer's groups, before a state of theirs is loaded."""
        super().attach(engine, evaluator)
        self._split()

    def on_train_begin(self) -> None:
        """Split them, if the optimizer is another one by now."""
        self._split()

    def _split(self) -> None:
        model = model_of(self)
        if self.trainer.optimizer is not None:
            _split_groups(self.trainer.optimizer, model, self._factors(model))

    def _factors(self, model: Any) -> Callable[[str], float]:
        names = [name for name, _ in model.named_parameters()]
        if not isinstance(self.factor, dict):
            layers = _layers(model)
            last = max(layers.values(), default=0)
            return lambda name: float(self.factor ** (last - layers[name]))
        for pattern in self.factor:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise ArgumentError(
                    f"DiscriminativeLR found no parameter for {pattern!r}; there are {', '.join(names)}"
                )
        return lambda name: next((value for key, value in self.factor.items() if fnmatchcase(name, key)), 1.0)


def _checked_factor(factor: Any) -> float:
    if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not factor > 0:
        raise ArgumentError(f"expected a factor of more than 0, got {factor!r}")
    return float(factor)


def _layers(model: Any) -> dict[str, int]:
    """Return the number of the layer of each parameter; one that the model has itself is of the first."""
    prefix = ""
    while True:
        parts = {name: part for name, part in model.named_children() if any(True for _ in part.parameters())}
        if len(parts) != 1 or any(True for _ in model.parameters(recurse=False)):
            break
        ((name, model),) = parts.items()  # what only wraps a model is no layer
        prefix += f"{name}."
    places = {name: place for place, name in enumerate(parts)}
    names = [name for name, _ in model.named_parameters()]
    return {prefix + name: places.get(name.partition(".")[0], 0) if "." in name else 0 for name in names}


def _split_groups(optimizer: Any, model: Any, factor_of: Callable[[str], float]) -> None:
    """Split each group into parts that have one factor, and multiply their rates by it; once, however often called."""
    factors = {id(parameter): factor_of(name) for name, parameter in model.named_parameters()}
    groups: list[dict[str, Any]] = []
    for group in optimizer.param_groups:
        former = group.get(_FACTOR, 1.0)
        parts: dict[float, list[int]] = {}
        for place, parameter in enumerate(group["params"]):
            parts.setdefault(factors.get(id(parameter), former), []).append(place)
        if list(parts) == [former]:
            groups.append(group)
            continue
        for factor, places in parts.items():
            part = {**group, _FACTOR: factor}
            for key in ("params", "param_names"):
                if key in group:
                    part[key] = [group[key][place] for place in places]
            for key in ("lr", "initial_lr"):
                if key in group:
                    part[key] = group[key] * (factor / former)
            groups.append(part)
    optimizer.param_groups[:] = sorted(groups, key=lambda group: -group.get(_FACTOR, 1.0))
