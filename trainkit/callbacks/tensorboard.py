"""Event files for TensorBoard, written by tensorboardX."""

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trainkit.autograd import Tensor, no_grad
from trainkit.callbacks.callback import Callback
from trainkit.callbacks.first_call import at_first_call
from trainkit.callbacks.tensorboard_graph import graph_of
from trainkit.callbacks.tensorboard_parts import image_summary, session_ended, session_started
from trainkit.callbacks.values import batch_values, flat_numbers, loss_of, model_of
from trainkit.engine import Engine, Events, Priority
from trainkit.engine.supervised import StepEvents
from trainkit.errors import ArgumentError, TrainkitError
from trainkit.serialize import check_folder

__all__ = ["TensorBoardLogger"]

_log = logging.getLogger("trainkit.callbacks")
_QUEUE = 1000  # events that may wait for the thread that writes


class TensorBoardLogger(Callback):
    """Write what a run does for TensorBoard: `tensorboard --logdir FOLDER` shows it.

    Each epoch's metrics are written, `loss/train` and `loss/valid` side by side, under "Custom Scalars" in one chart,
    and so for every metric; numbers in dicts and short arrays under names of their own; the learning rates, `lr`, or
    `lr/0`, `lr/1`, ... of several groups. The step is the iteration, so that values of epochs and of batches share an
    axis. A run that is resumed hides what an earlier one wrote of steps that it repeats. Give each run a folder of its
    own.

    A disk that is full does not stop a run: a warning tells that nothing more is written.

    Args:
        log_dir: the folder of this run; made if it is not there.
        every: write also `loss/batch`, the learning rates, and what callbacks measure of a step every so many
            iterations; 0: never.
        histograms: write histograms of the weights and of the gradients, these as the optimizer takes them, every so
            many epochs, in the last step of each; 0: never.
        histograms_per: "epoch", or "step" to count `histograms` in iterations.
        log_images: a function of the trainer that returns images, or a dict of them by name, for each epoch; or a
            fixed batch of images, which is written when training begins, and the model's outputs for it, if they are
            images too, after each epoch. Images are (N, C, H, W), (C, H, W), (N, H, W) or (H, W).
        hparams: hyper-parameters by name, which TensorBoard shows in a table with the last metrics of this run and of
            others beside it.
        graph: draw the model, from one more forward pass in evaluation before the first batch.
        text: texts by name, in Markdown; the model and the optimizer are written in any case.

    Raises:
        ArgumentError: an option does not fit.
        OutputError: the folder cannot be written; when training begins, before the first batch.

    >>> import tempfile, trainkit as tk
    >>> logger = TensorBoardLogger(tempfile.mkdtemp(), every=1, histograms=1, hparams={"width": 4}, graph=True)
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse", callbacks=[logger])
    >>> history = trainer.fit(tk.ones(4, 1), tk.ones(4, 1), epochs=2, verbose=0)
    >>> logger.writer.add_text("note", "The writer is yours too.")
    >>> logger.writer.close()
    """

    priority = Priority.LOGGERS

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        every: int = 0,
        *,
        histograms: int = 0,
        histograms_per: str = "epoch",
        log_images: Any = None,
        hparams: Mapping[str, Any] | None = None,
        graph: bool = False,
        text: Mapping[str, str] | None = None,
    ) -> None:
        if every < 0 or histograms < 0:
            raise ArgumentError(f"every and histograms must be at least 0, got {every!r} and {histograms!r}")
        if histograms_per not in ("epoch", "step"):
            raise ArgumentError(f"histograms_per must be 'epoch' or 'step', got {histograms_per!r}")
        self.log_dir, self.every = Path(log_dir), every
        self.histograms, self.histograms_per = histograms, histograms_per
        self.log_images, self.hparams, self.graph, self.text = log_images, hparams, graph, text
        self._writer: Any = None
        self._lost = False
        self._handle: Any = None

    # ---- the writer ----

    @property
    def writer(self) -> Any:
        """The SummaryWriter of tensorboardX, for what you want to write yourself; opened anew where it was closed."""
        if self._writer is None:
            self._open(None)
        elif not self._lost and not _writes(self._writer):
            self._lose()
        return self._writer

    def _open(self, purge_step: int | None) -> None:
        from tensorboardX import SummaryWriter  # takes a tenth of a second, which only its users spend

        # The name has but the second: without a suffix a second run within it would overwrite the first one's file.
        suffix = f".{time.time_ns() % 10**9:09d}"
        self._writer = SummaryWriter(
            str(self.log_dir), purge_step=purge_step, max_queue=_QUEUE, flush_secs=30, filename_suffix=suffix
        )

    def _lose(self) -> None:
        """Go on without files: the thread that writes has ended, and what is given to it would wait for ever."""
        from tensorboardX import SummaryWriter

        _log.warning("cannot write into %s: TensorBoard will show nothing more of this run", self.log_dir)
        events = self._writer.file_writer.event_writer
        events._closed = True  # or the end of the process would wait for that thread
        self._lost = True
        self._writer = SummaryWriter(str(self.log_dir), write_to_disk=False)

    def add_images(self, name: str, images: Any) -> None:
        """Write images, several in a grid, at the present iteration; shapes as for `log_images`, numbers in 0..1.

        Raises:
            ArgumentError: it has another shape.
        """
        self._add(image_summary(name, images))

    def _add(self, summary: Any) -> None:
        self.writer.file_writer.add_summary(summary, self.state.iteration)

    # ---- the run ----

    def attach(self, engine: Engine, evaluator: Engine | None = None) -> None:
        """Register the hooks, and batches and gradients if they are wanted."""
        super().attach(engine, evaluator)
        # before others set the next epoch's
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._write_last_rates, priority=Priority.VALIDATION)
        if self.every:
            event = Events.ITERATION_COMPLETED(every=self.every)
            engine.add_event_handler(event, self._write_batch, priority=self.priority)
        if self.histograms:
            if not engine.has_registered_events(StepEvents.OPTIMIZER_STARTED):
                raise ArgumentError("histograms need an engine that tells of its optimizer's steps: a Trainer's")
            engine.add_event_handler(StepEvents.OPTIMIZER_STARTED, self._write_gradients, priority=self.priority)
            if self.histograms_per == "step":
                event = Events.ITERATION_COMPLETED(every=self.histograms)
                engine.add_event_handler(event, self._write_weights, priority=self.priority)

    def on_train_begin(self) -> None:
        """Open the event file, and write what does not change."""
        check_folder(self.log_dir, "TensorBoard logs")
        self._close()
        self._lost = False
        done = self.state.iteration
        self._open(done + 1 if done else None)
        if self.hparams is not None:
            for summary in session_started(self.hparams, list(self._tags().values())):
                self._add(summary)
        if self.log_images is not None and not callable(self.log_images):
            self.add_images("images", self.log_images)
        for name, text in (self.text or {}).items():
            self.writer.add_text(name, text, done)
        if self.trainer is not None:
            self._write_layout()
            for name in ("model", "optimizer"):
                self.writer.add_text(name, f"```\n{getattr(self.trainer, name)!r}\n```", done)
        if self.graph:
            self._handle = at_first_call(model_of(self), self._write_graph)

    def around_train(self) -> Iterator[None]:
        """Write how the run ends."""
        try:
            yield
        except BaseException:
            self._write_end(failed=True)
            raise
        self._write_end(failed=False)

    def _write_end(self, failed: bool) -> None:
        if self.hparams is not None:
            self._add(session_ended(failed))

    def on_epoch_end(self) -> None:
        """Write the metrics of the epoch."""
        state, known = self.state, getattr(self.trainer, "metrics", None)
        for name, value in flat_numbers({k: v for k, v in state.metrics.items() if k not in ("lr", "seconds")}).items():
            self.writer.add_scalar(_tag(name, known), value, state.iteration)
        if self.histograms and self.histograms_per == "epoch" and not state.epoch % self.histograms:
            self._write_weights()
        if self.log_images is not None:
            self._write_images()
        try:
            self.writer.flush()
        except OSError as error:
            _log.warning("cannot write into %s: %s", self.log_dir, error.strerror or error)

    def on_train_end(self) -> None:
        """Close the event file."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        self._close()

    def _close(self) -> None:
        if self._writer is None:
            return
        writer = self.writer  # which looks whether it still writes
        try:
            writer.close()
        except OSError:
            self._lose()
        self._writer = None

    # ---- what is written ----

    def _tags(self) -> dict[str, str]:
        """Return the tags of the metrics by their names."""
        if self.trainer is None:
            return {}
        known, names = self.trainer.metrics, self.trainer.metric_names()
        return {name: _tag(name, known) for name in names if name.removeprefix("val_") in known}

    def _write_layout(self) -> None:
        """Let TensorBoard draw training and validation of a metric in one chart."""
        tags = self._tags()
        charts = {
            name: ["Multiline", [f"^{re.escape(tags[name])}$", f"^{re.escape(tags[f'val_{name}'])}$"]]
            for name in tags
            if f"val_{name}" in tags
        }
        if charts:
            self.writer.add_custom_scalars({"training and validation": charts})

    def _write_batch(self) -> None:
        loss = loss_of(self.state)
        values = ({} if loss is None else {"loss": loss}) | batch_values(self.state)
        for name, value in values.items():
            self.writer.add_scalar(f"{name}/batch", value, self.state.iteration)
        self._write_rates()

    def _write_last_rates(self) -> None:
        if not self.every or self.state.iteration % self.every:  # else they have been written
            self._write_rates()

    def _write_rates(self) -> None:
        if self.trainer is None:
            if "lr" in self.state.metrics:
                self.writer.add_scalar("lr", self.state.metrics["lr"], self.state.iteration)
            return
        groups = [] if self.trainer.optimizer is None else self.trainer.optimizer.param_groups
        for place, group in enumerate(groups):
            tag = "lr" if len(groups) == 1 else f"lr/{group.get('name', place)}"
            self.writer.add_scalar(tag, float(group["lr"]), self.state.iteration)

    def _write_weights(self) -> None:
        for name, parameter in model_of(self).named_parameters():
            self._write_histogram(f"weights/{name}", parameter.array)

    def _write_gradients(self) -> None:
        state = self.state
        if self.histograms_per == "step":
            due = not state.iteration % self.histograms
        else:  # of an epoch whose end is not known the first step has to do
            last = self.engine.position.batch == (state.epoch_length or 1)
            due = last and not state.epoch % self.histograms
        if due:
            for name, parameter in model_of(self).named_parameters():
                if parameter.grad is not None:
                    self._write_histogram(f"gradients/{name}", parameter.grad.array)

    def _write_histogram(self, tag: str, array: Any) -> None:
        finite = array[np.isfinite(array)]
        if finite.size:
            self.writer.add_histogram(tag, finite, self.state.iteration)

    def _write_images(self) -> None:
        made = self.log_images(self.trainer) if callable(self.log_images) else self._outputs(self.log_images)
        for name, images in (made if isinstance(made, Mapping) else {"images": made}).items():
            self.add_images(name, images)

    def _outputs(self, batch: Any) -> dict[str, Any]:
        """Return what the model makes of the fixed batch, if it is images."""
        with no_grad():
            output = self.trainer.predict_on_batch(batch)
        return {"outputs": output} if isinstance(output, Tensor) and output.ndim == 4 else {}

    def _write_graph(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        from tensorboardX.proto.event_pb2 import Event

        try:
            graph = graph_of(self.trainer.model, args, kwargs)
        except (TrainkitError, RuntimeError, ValueError, TypeError) as error:
            _log.warning("the model's graph cannot be drawn: %s", error)
            return
        self.writer.file_writer.add_event(Event(graph_def=graph.SerializeToString()), self.state.iteration)


def _writes(writer: Any) -> bool:
    """Tell whether the thread behind a writer lives."""
    events = getattr(writer.file_writer, "event_writer", None)
    worker = getattr(events, "_worker", None)
    return worker is None or bool(worker.is_alive())


def _tag(name: str, known: Any) -> str:
    """Return the tag of a value: training and validation of a metric belong to one chart."""
    if name.startswith("val_"):
        return f"{name.removeprefix('val_')}/valid"
    return f"{name}/train" if known is None or name.partition("/")[0] in known else name
