"""A model's graph as TensorBoard draws it: the ops of one forward pass, in boxes of the modules that called them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from trainkit.autograd import Tensor, enable_grad
from trainkit.autograd.graph import Node, TensorBase
from trainkit.data.nested import leaves, map_tree
from trainkit.engine.supervised import in_mode
from trainkit.errors import GradientError
from trainkit.random import fork_rng

__all__ = ["graph_of"]


def graph_of(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call the model in evaluation and return a GraphDef of what it did; model and random numbers stay as they are.

    Raises:
        GradientError: nothing of it can be differentiated, so nothing was recorded.
    """
    recorder = _Recorder(model)
    with ExitStack() as stack:
        stack.enter_context(enable_grad())
        stack.enter_context(fork_rng())
        stack.enter_context(contextmanager(in_mode)(model, False))
        args, kwargs = recorder.watched(args), recorder.watched(kwargs)
        for module in model.modules():
            enter = module.register_forward_pre_hook(recorder.enter, with_kwargs=True)
            stack.callback(enter.remove)
            leave = module.register_forward_hook(recorder.leave, with_kwargs=True, always_call=True)
            stack.callback(leave.remove)
        output = model(*args, **kwargs)
    if not recorder.owners:
        raise GradientError("the model's output has no history, so it has no graph to draw")
    return recorder.graph(output)


class _Recorder:
    """The nodes of a forward pass, each with the path of the innermost module that made it.

    A node belongs to the module in whose call it was made: when a module is entered, what its inputs come from and
    nobody has claimed yet is claimed for the module around it; when it is left, what its outputs come from for itself.
    """

    def __init__(self, model: Any) -> None:
        self.paths = {id(module): name.replace(".", "/") for name, module in model.named_modules()}
        self.kinds = {name.replace(".", "/"): module for name, module in model.named_modules()}
        self.parameters = {id(parameter): name.replace(".", "/") for name, parameter in model.named_parameters()}
        self.owners: dict[Node, str] = {}
        self.inputs: dict[Any, str] = {}  # the node, or the id of the tensor where it has none, of each input
        self.kept: list[Any] = []  # so that no id is given twice
        self.forms: dict[Any, tuple[tuple[int, ...], str]] = {}
        self.stack = [""]
        self.fed: dict[str, list[str]] = {}  # the inputs that a module got and that leave no trace in the graph

    def watched(self, tree: Any) -> Any:
        """Return inputs with a history, so that all that is computed of them is recorded."""

        def watch(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return leaf
            if leaf.is_floating_point():
                leaf = leaf.detach().requires_grad_().clone()  # a leaf could not be changed in place
            key = leaf.node or id(leaf)
            self.inputs[key] = f"input_{len(self.inputs)}" if self.inputs else "input"
            self.forms[key] = tuple(leaf.shape), str(leaf.dtype)
            self.kept.append(leaf)
            return leaf

        return map_tree(watch, tree)

    def enter(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.claim((args, kwargs), self.stack[-1])
        self.stack.append(self.paths[id(module)])
        found = [self.inputs[id(leaf)] for leaf in leaves((args, kwargs)) if id(leaf) in self.inputs]
        self.fed.setdefault(self.stack[-1], []).extend(found)

    def leave(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        self.claim(output, self.stack.pop())

    def claim(self, tree: Any, path: str) -> None:
        for tensor in leaves(tree):
            if not isinstance(tensor, TensorBase):
                continue
            tensor.refresh()
            pending: list[Any] = [tensor.node]
            if tensor.node is not None:
                self.forms.setdefault(tensor.node, (tuple(tensor.array.shape), str(tensor.array.dtype)))
            while pending:
                node = pending.pop()
                if isinstance(node, Node) and node not in self.owners and node not in self.inputs:
                    self.owners[node] = path
                    pending += node.edges

    # ---- what is written ----

    def graph(self, output: Any) -> Any:
        from tensorboardX.proto.graph_pb2 import GraphDef
        from tensorboardX.proto.versions_pb2 import VersionDef

        names: dict[Any, str] = dict(self.inputs)
        written = [_node(name, "Input", [], form=self.forms[key]) for key, name in self.inputs.items()]
        taken = set(names.values())
        for node in sorted(self.owners, key=lambda node: node.order):
            path = self.owners[node]
            sources = []
            for edge in node.edges:
                if edge is not None and edge not in names and not isinstance(edge, Node):
                    own = self.parameters.get(id(edge))
                    names[edge] = _free(own or _joined(path, "constant"), taken)
                    form = tuple(edge.array.shape), str(edge.array.dtype)
                    written.append(_node(names[edge], "Parameter" if own else "Constant", [], form=form))
                if edge is not None:
                    sources.append(names[edge])
            if not any(isinstance(edge, Node) for edge in node.edges):
                sources += self.fed.get(path, [])  # such as the indices of an embedding
            names[node] = _free(_joined(path, node.op.title), taken)
            module = self.kinds[path]
            written.append(_node(names[node], node.op.title, sources, form=self.forms.get(node), module=module))
        ends = [leaf.edge for leaf in leaves(output) if isinstance(leaf, TensorBase)]
        sources = [names[edge] for edge in dict.fromkeys(ends) if edge in names]
        written.append(_node(_free("output", taken), "Output", sources))
        return GraphDef(node=written, versions=VersionDef(producer=22))


def _joined(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _free(name: str, taken: set[str]) -> str:
    """Return the name, numbered if it is taken."""
    found = next(candidate for candidate in _numbered(name) if candidate not in taken)
    taken.add(found)
    return found


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 1
    while True:
        yield f"{name}_{number}"
        number += 1


def _node(name: str, op: str, sources: list[str], form: Any = None, module: Any = None) -> Any:
    from tensorboardX.proto.attr_value_pb2 import AttrValue
    from tensorboardX.proto.node_def_pb2 import NodeDef
    from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto

    attributes = {}
    if form is not None:
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in form[0]])
        attributes["_output_shapes"] = AttrValue(list=AttrValue.ListValue(shape=[shape]))
        attributes["dtype"] = AttrValue(s=form[1].encode())
    if module is not None and not any(True for _ in module.children()):
        attributes["module"] = AttrValue(s=repr(module).encode())
    return NodeDef(name=name, op=op, input=sources, attr=attributes)
