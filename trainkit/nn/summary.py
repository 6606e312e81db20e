"""`summary`: the layers of a network, what comes out of each, what it has to learn and how much it computes."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from trainkit.autograd import TensorBase, float32, no_grad, ones, zeros
from trainkit.autograd.dtypes import as_dtype
from trainkit.errors import ArgumentError, ShapeError
from trainkit.nn.linear import Bilinear, Linear
from trainkit.nn.module import Module
from trainkit.nn.module_parts import ModuleParts
from trainkit.random import fork_rng

__all__ = ["LayerSummary", "Summary", "summary"]


class LayerSummary(NamedTuple):
    """One row: a module and what it has itself, without its parts.

    Attributes:
        name: as in `named_modules()`; "" is the network.
        kind: its class.
        output_shape: of the last call: a tuple, several of them, or None if it was not called.
        parameters: elements of its own parameters; one that is shared counts where it comes first.
        trainable: of these, those that require grad.
        multiply_adds: of all its calls.
    """

    name: str
    kind: str
    output_shape: Any
    parameters: int
    trainable: int
    multiply_adds: int


class Summary:
    """What `summary` returns; as a string, the table.

    Attributes:
        rows: a `LayerSummary` for each module.
        input_shapes: those that the network was called with.
        parameters: the elements of all parameters.
        trainable: of these, those that require grad.
        multiply_adds: of one call of the network.
    """

    def __init__(self, rows: list[LayerSummary], input_shapes: list[tuple[int, ...]]) -> None:
        self.rows, self.input_shapes = rows, input_shapes
        self.parameters = sum(row.parameters for row in rows)
        self.trainable = sum(row.trainable for row in rows)
        self.multiply_adds = sum(row.multiply_adds for row in rows)

    def __str__(self) -> str:
        cells: list[tuple[str, ...]] = [("Layer", "Type", "Output shape", "Parameters", "Multiply-adds")]
        leaves = {row.name for row in self.rows} - {row.name.rpartition(".")[0] for row in self.rows[1:]}
        for row in self.rows:
            indent = "  " * (row.name.count(".") + 1) if row.name else ""
            name = indent + row.name.rpartition(".")[2] if row.name else "(the network)"
            counts = [f"{n:,}" if n or row.name in leaves else "" for n in (row.parameters, row.multiply_adds)]
            cells.append((name, row.kind, _text(row.output_shape), *counts))
        widths = [max(len(line[column]) for line in cells) for column in range(5)]
        lines = [
            "  ".join([*map(str.ljust, line[:3], widths), *map(str.rjust, line[3:], widths[3:])]) for line in cells
        ]
        rule = "-" * (sum(widths) + 8)
        inputs = ", ".join(map(_text, self.input_shapes))
        return "\n".join(
            [
                lines[0].rstrip(),
                rule,
                *[line.rstrip() for line in lines[1:]],
                rule,
                f"Input shape: {inputs}",
                f"Parameters: {self.parameters:,} ({self.trainable:,} trainable)",
                f"Multiply-adds: {self.multiply_adds:,}",
            ]
        )

    def __repr__(self) -> str:
        return f"<Summary: {self.parameters:,} parameters, {self.multiply_adds:,} multiply-adds>"


def summary(net: Module, input_shape: Sequence[Any], dtype: Any = None, verbose: bool = True) -> Summary:
    """Print a table of the modules of a network: output shapes, parameters and multiply-adds; return what it says.

    The network is called once in evaluation, and left as it was: modes, gradients, random numbers, buffers.

    Multiply-adds are those of the weights of linear layers and convolutions, over the whole batch; what `forward` does
    by functions is not counted.

    Args:
        net: the network.
        input_shape: of the input, with the batch: (1, 3, 32, 32). A shape that does not do gets a batch of one before
            it: (3, 32, 32) will do as well. Of several inputs, a sequence of shapes.
        dtype: of the input, or one for each; None is that of the first parameter. Integers are zeros, such as
            indices for an embedding.
        verbose: print the table; if not, it is only returned.

    Raises:
        ArgumentError: there is no shape, or a dtype too few or too many.
        ShapeError: the network does not take the input, with or without a batch.

    >>> import trainkit as tk
    >>> net = tk.nn.Sequential(tk.nn.Conv2d(1, 4, 3), tk.nn.ReLU(), tk.nn.Flatten(), tk.nn.Linear(144, 10))
    >>> result = summary(net, (1, 1, 8, 8))
    Layer          Type        Output shape  Parameters  Multiply-adds
    ------------------------------------------------------------------
    (the network)  Sequential  (1, 10)
      0            Conv2d      (1, 4, 6, 6)          40          1,296
      1            ReLU        (1, 4, 6, 6)           0              0
      2            Flatten     (1, 144)               0              0
      3            Linear      (1, 10)            1,450          1,440
    ------------------------------------------------------------------
    Input shape: (1, 1, 8, 8)
    Parameters: 1,490 (1,490 trainable)
    Multiply-adds: 2,736
    """
    shapes = _shapes(input_shape)
    first = next(net.parameters(), None)
    wanted = dtype if isinstance(dtype, (list, tuple)) else [dtype] * len(shapes)
    if len(wanted) != len(shapes):
        raise ArgumentError(f"summary got {len(wanted)} dtypes for {len(shapes)} inputs")
    usual = float32 if first is None else first.dtype
    dtypes = [usual if each is None else as_dtype(each) for each in wanted]
    try:
        result = _run(net, shapes, dtypes)
    except ShapeError as refusal:
        batched = [(1, *shape) for shape in shapes]
        try:
            result = _run(net, batched, dtypes)
        except ShapeError as second:
            raise ShapeError(
                f"{type(net).__name__} takes no input of shape {', '.join(map(str, shapes))}: {refusal}; nor with a "
                f"batch of one before it: {second}"
            ) from second
    if verbose:
        print(result)  # noqa: T201 -- that is what it is for
    return result


def _shapes(given: Sequence[Any]) -> list[tuple[int, ...]]:
    """Return a shape, or several, as a list of tuples."""
    several = isinstance(given, Sequence) and any(isinstance(part, Sequence) for part in given)
    shapes = list(given) if several else [given]
    try:
        return [tuple([int(size) for size in shape]) for shape in shapes]
    except (TypeError, ValueError):
        raise ArgumentError(f"summary expected a shape such as (1, 3, 32, 32), or several, got {given!r}") from None


def _run(net: Module, shapes: list[tuple[int, ...]], dtypes: list[Any]) -> Summary:
    """Call the network with inputs of these shapes and gather what its modules do."""
    outputs: dict[int, Any] = {}
    work: dict[int, int] = {}

    def note(module: Any, args: tuple[Any, ...], output: Any) -> None:
        outputs[id(module)] = _shape(output)
        work[id(module)] = work.get(id(module), 0) + _multiply_adds(module, args, output)

    inputs = [
        ones(shape, dtype=d) if d.kind == "f" else zeros(shape, dtype=d)
        for shape, d in zip(shapes, dtypes, strict=True)
    ]
    with ExitStack() as stack:
        stack.enter_context(no_grad())
        stack.enter_context(fork_rng())
        stack.enter_context(_untouched(net))
        for module in net.modules():
            stack.callback(module.register_forward_hook(note).remove)
        net(*inputs)
    seen: set[int] = set()
    rows = []
    for name, module in net.named_modules():
        own = [p for p in module.parameters(recurse=False) if id(p) not in seen]
        seen.update(map(id, own))
        counts = sum(p.numel() for p in own), sum(p.numel() for p in own if p.requires_grad)
        shape = outputs.get(id(module))
        rows.append(LayerSummary(name, type(module).__name__, shape, *counts, work.get(id(module), 0)))
    return Summary(rows, shapes)


@contextmanager
def _untouched(net: Module) -> Iterator[None]:
    """Put every module into evaluation, and at the end modes, hooks, buffers and plain attributes back as they were."""
    modules = list(net.modules())
    former = [(module, ModuleParts.__getstate__(module)) for module in modules]
    buffers = [(buffer, buffer.array, buffer.array.copy()) for buffer in net.buffers()]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, attributes in former:
            module.__dict__.clear()
            module.__dict__.update(attributes)
        for buffer, array, values in buffers:
            buffer.array = array
            if array.tobytes() != values.tobytes():
                array[...] = values


def _multiply_adds(module: Any, args: tuple[Any, ...], output: Any) -> int:
    weight = getattr(module, "weight", None)
    if not isinstance(weight, TensorBase) or not isinstance(output, TensorBase) or not weight.array.ndim:
        return 0
    if getattr(module, "transposed", False):
        return int(args[0].array.size * weight.array[0].size) if weight.array.shape[0] else 0
    is_linear = isinstance(module, (Linear, Bilinear)) or hasattr(module, "transposed")
    return int(output.array.size * weight.array[0].size) if is_linear and weight.array.shape[0] else 0


def _shape(output: Any) -> Any:
    """Return the shape of a tensor, or those of the tensors in a tuple, list or dict."""
    if isinstance(output, TensorBase):
        return tuple(output.array.shape)
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, (list, tuple)) else ()
    return [shape for part in parts if (shape := _shape(part)) is not None] or None


def _text(shape: Any) -> str:
    return "-" if shape is None else ", ".join(map(_text, shape)) if isinstance(shape, list) else str(shape)
