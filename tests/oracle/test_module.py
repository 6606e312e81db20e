"""Modules, containers, initial values and weight norms: the same lines run in both libraries."""

import copy
import types
import warnings
from collections import OrderedDict

import numpy as np
import pytest
import torch

import trainkit as tk
from trainkit.errors import TrainkitError

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:Full backward hook")]
BOTH = (tk, torch)


def network(lib):
    """A network with all that names depend on: nesting, sharing, buffers of both kinds, None, lists and dicts."""
    nn = lib.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.skip = None
            self.body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
            self.register_buffer("seen", lib.zeros(1))
            self.scale = nn.Parameter(lib.ones(1))
            self.register_buffer("held", lib.zeros(2), persistent=False)
            self.register_parameter("nothing", None)
            self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)] + [nn.Dropout(0.3)])
            self.heads = nn.ModuleDict({"a": nn.Linear(4, 2), "b": nn.Sequential(OrderedDict(last=nn.Linear(4, 3)))})
            self.again = self.heads["a"]
            self.blocks[1].weight = self.blocks[0].weight
            self.gone = nn.ReLU()
            self.gone = None
            self.extras = nn.ParameterList([lib.ones(2), 5])

        def forward(self, x):
            x = self.body(x).mean((2, 3))
            for block in self.blocks:
                x = block(x)
            return self.heads["a"](x) * self.scale, self.heads["b"](x)

        def extra_repr(self):
            return "one=1\ntwo=2"

    return Net()


def pair():
    ours, theirs = (network(lib) for lib in BOTH)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    return ours, theirs


def array(tensor):
    return tensor.detach().numpy()


def both(run):
    ours, theirs = (run(lib) for lib in BOTH)
    assert ours == theirs
    return ours


LISTS = [
    lambda net: list(net.state_dict()),
    lambda net: list(net.state_dict(prefix="x.")),
    lambda net: [name for name, _ in net.named_parameters()],
    lambda net: [name for name, _ in net.named_parameters("x", remove_duplicate=False)],
    lambda net: [name for name, _ in net.named_parameters(recurse=False)],
    lambda net: [name for name, _ in net.named_buffers()],
    lambda net: [name for name, _ in net.named_buffers("x", recurse=False)],
    lambda net: [name for name, _ in net.named_modules()],
    lambda net: [name for name, _ in net.named_modules(prefix="x", remove_duplicate=False)],
    lambda net: [name for name, _ in net.named_children()],
    lambda net: [type(module).__name__ for module in net.modules()],
    lambda net: [type(module).__name__ for module in net.children()],
    lambda net: list(net._modules),
    lambda net: list(net._parameters),
    lambda net: list(net._buffers),
    lambda net: dict(net.state_dict()._metadata),
    lambda net: [tuple(p.shape) for p in net.parameters()],
    lambda net: [name for name, _ in copy.deepcopy(net).double().named_parameters()],
]


@pytest.mark.parametrize("listed", LISTS)
def test_names(listed) -> None:
    both(lambda lib: listed(network(lib)))


def test_names_after_changes() -> None:
    def run(lib):
        net, nn = network(lib), lib.nn
        net.scale = None
        net.skip = nn.Linear(1, 1)
        net.seen = lib.ones(3)
        del net.extras
        net.nothing = nn.Parameter(lib.ones(1))
        net.register_buffer("held", lib.zeros(1))
        net.body = nn.Tanh()
        net.late = nn.Parameter(lib.ones(1))
        net.scale = nn.Parameter(lib.ones(1))
        net.heads.update({"c": nn.ReLU()})
        net.blocks.insert(1, nn.ReLU())
        del net.blocks[0]
        net.heads.b.extend([nn.ReLU(), nn.Linear(2, 2)])
        net.seen = nn.Parameter(lib.ones(2))
        return [run(net) for run in LISTS], repr(net).replace("torch.", "")

    both(run)


@pytest.mark.parametrize(
    "make",
    [
        network,
        lambda lib: network(lib).body[:2],
        lambda lib: lib.nn.Sequential(OrderedDict(a=lib.nn.ReLU(), b=lib.nn.ModuleList([]))),
        lambda lib: lib.nn.ModuleList([lib.nn.ModuleList([lib.nn.ReLU(), lib.nn.ReLU()]), lib.nn.Tanh()]),
        lambda lib: lib.nn.ParameterList([lib.ones(2, 3)]),
        lambda lib: lib.nn.ParameterList([lib.ones(2, 3), 4, lib.ones(())]),
        lambda lib: lib.nn.ParameterDict({"a": lib.ones(2), "b": "text"}),
        lambda lib: lib.nn.ModuleDict(),
        lambda lib: lib.nn.Module(),
    ],
)
def test_repr(make) -> None:
    both(lambda lib: repr(make(lib)).replace("torch.", "").replace("trainkit.", ""))


CALLS = [
    lambda lib, net: net.train(1), lambda lib, net: net.to(lib.int64), lambda lib, net: net.type(lib.int64),
    lambda lib, net: net.get_submodule("body.9"), lambda lib, net: net.get_submodule("scale"),
    lambda lib, net: net.get_parameter("body"), lambda lib, net: net.get_buffer("scale"),
    lambda lib, net: net.register_buffer("scale", None), lambda lib, net: net.register_buffer("x", 3),
    lambda lib, net: net.register_buffer("a.b", None), lambda lib, net: net.register_buffer("", None),
    lambda lib, net: net.register_buffer(3, None), lambda lib, net: net.register_parameter("body", None),
    lambda lib, net: net.register_parameter("x", lib.ones(1)), lambda lib, net: net.add_module("x", 3),
    lambda lib, net: net.add_module("scale", None), lambda lib, net: net.add_module("a.b", None),
    lambda lib, net: setattr(net, "scale", lib.ones(1)), lambda lib, net: setattr(net, "body", 3),
    lambda lib, net: setattr(net, "seen", 3), lambda lib, net: setattr(net, "scale", lib.nn.ReLU()),
    lambda lib, net: setattr(net, "seen", lib.nn.ReLU()), lambda lib, net: setattr(net, "seen", None),
    lambda lib, net: setattr(net, "body", lib.nn.Parameter(lib.ones(1))), lambda lib, net: delattr(net, "nowhere"),
    lambda lib, net: net.set_submodule("", lib.nn.ReLU()), lambda lib, net: net.set_submodule("z.y", lib.nn.ReLU()),
    lambda lib, net: net.set_submodule("scale", lib.nn.ReLU()), lambda lib, net: net.set_submodule("body.2", lib.nn.Tanh()),
    lambda lib, net: net.set_submodule("body.7", lib.nn.Tanh(), strict=True), lambda lib, net: net.load_state_dict(3),
    lambda lib, net: lib.nn.Sequential([lib.nn.ReLU()]), lambda lib, net: lib.nn.Sequential(3), lambda lib, net: net.body[3],
    lambda lib, net: net.body[-4], lambda lib, net: net.body.insert(9, lib.nn.ReLU()), lambda lib, net: net.body.pop(7),
    lambda lib, net: net.body + 3, lambda lib, net: net.body * 0, lambda lib, net: net.body.append(3),
    lambda lib, net: net.blocks.append(3), lambda lib, net: net.blocks.extend(3), lambda lib, net: net.blocks[7],
    lambda lib, net: net.heads["z"], lambda lib, net: net.heads.update(3), lambda lib, net: net.heads.update([3]),
    lambda lib, net: net.heads.update([(1, 2, 3)]), lambda lib, net: net.heads.pop("z"),
    lambda lib, net: lib.nn.ModuleDict({"keys": lib.nn.ReLU()}), lambda lib, net: lib.nn.ModuleDict({"a.b": lib.nn.ReLU()}),
    lambda lib, net: lib.nn.ParameterDict({1: lib.ones(1)}), lambda lib, net: lib.nn.ParameterDict({"keys": lib.ones(1)}),
    lambda lib, net: net.extras[5], lambda lib, net: net.extras.extend(3), lambda lib, net: lib.nn.ParameterList(lib.ones(3)),
    lambda lib, net: net.extras(1), lambda lib, net: lib.nn.Module()(1), lambda lib, net: net.blocks(1),
    lambda lib, net: net.get_extra_state(), lambda lib, net: net.set_extra_state(1),
    lambda lib, net: lib.nn.init.calculate_gain("x"), lambda lib, net: lib.nn.init.calculate_gain("leaky_relu", "x"),
    lambda lib, net: lib.nn.init.orthogonal_(lib.ones(3)), lambda lib, net: lib.nn.init.dirac_(lib.ones(3, 3)),
    lambda lib, net: lib.nn.init.dirac_(lib.ones(3, 3, 3), 2), lambda lib, net: lib.nn.init.eye_(lib.ones(3)),
    lambda lib, net: lib.nn.init.xavier_uniform_(lib.ones(3)), lambda lib, net: lib.nn.init.sparse_(lib.ones(3), 0.1),
    lambda lib, net: lib.nn.init.kaiming_normal_(lib.ones(3, 3), mode="x"),
    lambda lib, net: lib.nn.utils.spectral_norm(lib.nn.ReLU()), lambda lib, net: lib.nn.utils.weight_norm(lib.nn.ReLU()),
    lambda lib, net: lib.nn.utils.spectral_norm(lib.nn.Linear(2, 2), n_power_iterations=0),
    lambda lib, net: lib.nn.utils.remove_spectral_norm(net.blocks[0]), lambda lib, net: lib.nn.utils.remove_weight_norm(net),
    lambda lib, net: lib.nn.utils.spectral_norm(lib.nn.utils.spectral_norm(lib.nn.Linear(2, 2))),
    lambda lib, net: lib.nn.utils.weight_norm(lib.nn.utils.weight_norm(lib.nn.Linear(2, 2))),
    lambda lib, net: lib.nn.utils.parametrize.register_parametrization(net, "x", lib.nn.ReLU()),
    lambda lib, net: lib.nn.utils.parametrize.remove_parametrizations(net, "scale"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_errors_are_of_the_same_class(number) -> None:
    raised = []
    for lib in BOTH:
        try:
            CALLS[number](lib, network(lib))
            raised.append(None)
        except Exception as error:  # noqa: BLE001
            raised.append(error)
    ours, theirs = raised
    assert (ours is None) == (theirs is None)
    if ours is not None:
        builtin = [base for base in type(ours).__mro__ if base.__module__ == "builtins" and base is not TrainkitError]
        assert isinstance(ours, type(theirs)) or issubclass(type(theirs), builtin[0])


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("wrong_shape", [True, False])
def test_load_errors_name_the_same(strict, wrong_shape) -> None:
    def run(lib):
        net = network(lib)
        state = net.state_dict()
        state["unknown.weight"] = state["more"] = state["body.7.weight"] = state["again.z.y"] = lib.ones(1)
        del state["blocks.2.bias"], state["body.1.running_var"], state["scale"]
        if wrong_shape:
            state["blocks.0.weight"] = state["heads.b.last.bias"] = lib.ones(9)
        try:
            keys = net.load_state_dict(state, strict=strict)
        except RuntimeError as error:
            text = str(error)
            named = [
                "unknown.weight",
                "more",
                "body.7.weight",
                "again.z.y",
                "blocks.2.bias",
                "body.1.running_var",
                "scale",
            ]
            return [name for name in [*named, "blocks.0.weight", "heads.b.last.bias"] if name in text]
        return keys.missing_keys, keys.unexpected_keys

    found = both(run)
    assert found


def test_loading_between_the_libraries() -> None:
    ours, theirs = pair()
    x = np.random.default_rng(0).standard_normal((5, 1, 4, 4)).astype(np.float32)
    ours.eval(), theirs.eval()
    for a, b in zip(ours(tk.tensor(x)), theirs(torch.tensor(x)), strict=True):
        np.testing.assert_allclose(array(a), array(b), rtol=1e-4, atol=1e-5)
    theirs.load_state_dict({name: torch.tensor(array(value)) for name, value in ours.state_dict().items()})
    assert repr(ours.load_state_dict(ours.state_dict())) == repr(theirs.load_state_dict(theirs.state_dict()))


def test_traces_of_hooks() -> None:
    def run(lib):
        net, trace = network(lib).eval(), []
        shape = lambda value: [tuple(v.shape) if hasattr(v, "shape") else None for v in value]  # noqa: E731
        for name, module in net.named_modules():
            module.register_forward_pre_hook(lambda m, args, n=name: trace.append(("before", n, shape(args))))
            module.register_forward_pre_hook(
                lambda m, args, kw, n=name: trace.append(("first", n, len(kw))), prepend=True, with_kwargs=True
            )
            module.register_forward_hook(lambda m, args, out, n=name: trace.append(("after", n)))
            module.register_forward_hook(
                lambda m, args, kw, out, n=name: trace.append(("kw", n)), prepend=True, with_kwargs=True
            )
            module.register_full_backward_pre_hook(lambda m, g, n=name: trace.append(("g before", n, shape(g))))
            module.register_full_backward_hook(lambda m, i, o, n=name: trace.append(("g after", n, shape(i), shape(o))))
        for requires_grad in (False, True):
            x = lib.ones(2, 1, 4, 4).requires_grad_(requires_grad)
            a, b = net(x)
            (a.sum() + b.sum()).backward()
            net(x)[0].sum().backward()
        with lib.no_grad():
            net(lib.ones(1, 1, 2, 2))
        # PyTorch walks through parts that had no share in the result, with None for gradients
        return [event for event in trace if not event[0].startswith("g ") or any(event[-1])]

    assert len(both(run)) > 100


def test_traces_of_hooks_that_fail() -> None:
    def run(lib):
        trace = []

        class Broken(lib.nn.Module):
            def forward(self, x):
                if x > 1:
                    raise ValueError("broken")
                return x

        def fail(m, args, out):
            trace.append("fail")
            raise RuntimeError("fails")

        net = Broken()
        net.register_forward_hook(lambda m, args, out: trace.append("plain"))
        net.register_forward_hook(lambda m, args, out: trace.append(("always", out)), always_call=True)
        first = net.register_forward_hook(fail)
        net.register_forward_hook(lambda m, args, out: trace.append(("last", out)), always_call=True)
        for x in (1, 2):
            for _ in range(2):
                try:
                    trace.append(net(x))
                except (ValueError, RuntimeError) as error:
                    trace.append(str(error))
            net.register_forward_hook(lambda m, args, out: (out or 0) + 1, always_call=True, prepend=True)
        first.remove()
        trace.append(net(1))
        return trace

    both(run)


def test_gradients_that_hooks_change() -> None:
    def run(lib):
        net, results = lib.nn.Linear(2, 3), []
        with lib.no_grad():
            net.weight.copy_(lib.arange(6.0).reshape(3, 2))
            net.bias.zero_()
        net.register_full_backward_pre_hook(lambda m, g: (g[0] * 2,))
        net.register_full_backward_hook(lambda m, i, o: None if i[0] is None else (i[0] + o[0].sum(),))
        net.register_full_backward_hook(
            lambda m, i, o: results.append([None if g is None else g.tolist() for g in (*i, *o)])
        )
        for leaf in (True, False):
            x = lib.ones(1, 2).requires_grad_(leaf)
            (net(x) ** 2).sum().backward()
            results.append(None if x.grad is None else x.grad.tolist())
            results.append(net.weight.grad.tolist())
        x = lib.ones(1, 2).requires_grad_()
        (g,) = lib.autograd.grad((net(x * x) ** 3).sum(), x, create_graph=True)
        g.sum().backward()
        results.append(x.grad.tolist())
        return results

    ours, theirs = (run(lib) for lib in BOTH)
    for a, b in zip(ours, theirs, strict=True):
        if a is None or (isinstance(a, list) and None in a):
            assert a == b or str(a)[:20] == str(b)[:20]
        else:
            np.testing.assert_allclose(
                np.concatenate(list(map(np.ravel, a))), np.concatenate(list(map(np.ravel, b))), rtol=1e-4
            )


def test_traces_of_state_hooks() -> None:
    def run(lib):
        net, trace = network(lib), []
        for name, module in list(net.named_modules())[:6]:
            module.register_state_dict_pre_hook(lambda m, prefix, keep, n=name: trace.append((n, prefix, keep)))
            module.register_state_dict_post_hook(
                lambda m, state, prefix, local, n=name: trace.append((n, prefix, len(state)))
            )
            module.register_load_state_dict_pre_hook(
                lambda m, state, prefix, local, strict, missing, unexpected, errors, n=name: trace.append(
                    (n, prefix, strict, sorted(state), list(missing), list(unexpected))
                )
            )
            module.register_load_state_dict_post_hook(
                lambda m, keys, n=name: trace.append((n, list(keys.missing_keys)))
            )
        state = net.state_dict()
        del state["body.0.weight"]
        state["more"] = lib.ones(1)
        net.load_state_dict(state, strict=False)
        # here all are loaded before the first is told so
        return sorted(trace, key=lambda event: len(event) == 2)

    assert len(both(run)) > 20


def test_assign() -> None:
    def run(lib):
        net = network(lib)
        net.scale.requires_grad_(False)
        state = {
            name: (value.double() if value.is_floating_point() else value) for name, value in net.state_dict().items()
        }
        kept = {name: id(value) for name, value in net.named_buffers()}
        net.load_state_dict(state, assign=True)
        dtypes = [str(value.dtype).replace("torch.", "") for value in net.state_dict().values()]
        return dtypes, [p.requires_grad for p in net.parameters()], [kept[n] == id(b) for n, b in net.named_buffers()]

    both(run)


def test_versions_of_batch_norm() -> None:
    """A state without the count of batches, as old files have it, fits where no version is told."""

    def run(lib):
        results = []
        for plain in (True, False):
            norm = lib.nn.BatchNorm2d(2)
            state = norm.state_dict()
            del state["num_batches_tracked"]
            try:
                results.append(repr(norm.load_state_dict(dict(state) if plain else state)))
            except RuntimeError:
                results.append("RuntimeError")
        return results

    both(run)


@pytest.mark.parametrize("kind", ["Sequential", "ModuleList"])
def test_programs_on_lists(kind) -> None:
    def run(lib):
        rng = np.random.default_rng(1)
        results = []

        def new():
            return lib.nn.Linear(1, int(rng.integers(1, 9)))

        def make(parts):
            return getattr(lib.nn, kind)(*parts) if kind == "Sequential" else lib.nn.ModuleList(parts)

        net = make([new() for _ in range(3)])
        steps = [
            lambda i: net.append(new()),
            lambda i: net.insert(min(abs(i), len(net)), new()),
            lambda i: net.__delitem__(i),
            lambda i: net.pop(i),
            lambda i: net.extend([new(), new()]),
            lambda i: net.__setitem__(i, new()),
            lambda i: net.__delitem__(slice(0, 2)),
            lambda i: net.__iadd__(make([new()])),
        ]
        for _ in range(60):
            i = int(rng.integers(-len(net) - 1, len(net) + 1))
            try:
                steps[int(rng.integers(len(steps)))](i)
            except IndexError:
                results.append("IndexError")
            results.append([(name, part.out_features) for name, part in net.named_children()])
            results.append([part.out_features for part in net[i : i + 3]])
            results.append([part.out_features for part in net + make([])])
        return results

    both(run)


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm"])
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda nn: nn.Linear(3, 4), (2, 3)), (lambda nn: nn.Conv2d(2, 3, 3), (2, 2, 4, 5)),
        (lambda nn: nn.ConvTranspose2d(2, 3, 3), (2, 2, 4, 5)), (lambda nn: nn.Conv1d(2, 2, 3, groups=2), (1, 2, 7)),
    ],
)  # fmt: skip
def test_weight_norms(make, shape, norm, old) -> None:
    layers = []
    for lib in BOTH:
        module = lib.nn.utils if old else lib.nn.utils.parametrizations
        layers.append(getattr(module, norm)(make(lib.nn)))
    ours, theirs = layers
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    if not old:
        assert type(ours).__name__ == type(theirs).__name__
        assert repr(ours) == repr(theirs)
    ours.load_state_dict({name: array(value) for name, value in theirs.state_dict().items()})
    rng = np.random.default_rng(0)
    for step in range(4):
        data = rng.standard_normal(shape).astype(np.float32)
        a, b = tk.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
        if step == 2:
            ours.eval(), theirs.eval()
        (ours(a) ** 2).sum().backward(), (theirs(b) ** 2).sum().backward()
        np.testing.assert_allclose(array(a.grad), array(b.grad), rtol=2e-3, atol=2e-4)
        for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(array(p.grad), array(q.grad), rtol=2e-3, atol=2e-3, err_msg=name)
        for (name, p), q in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
            np.testing.assert_allclose(array(p), array(q), rtol=2e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("dim", [0, 1, 2, -2, -1, None])
def test_weight_norms_along_dimensions(dim) -> None:
    def run(lib):
        layer = lib.nn.utils.weight_norm(lib.nn.Conv2d(2, 3, (4, 5)), dim=dim)
        return tuple(layer.weight_g.shape)

    both(run)


def test_fused_layers() -> None:
    rng = np.random.default_rng(0)
    for transpose in (False, True):
        fused = []
        conv = torch.nn.ConvTranspose2d(3, 4, 3) if transpose else torch.nn.Conv2d(3, 4, 3)
        norm = torch.nn.BatchNorm2d(4)
        norm(torch.tensor(rng.standard_normal((8, 4, 3, 3)), dtype=torch.float32) * 3 + 1)
        states = [{name: array(value) for name, value in layer.state_dict().items()} for layer in (conv, norm)]
        fused.append(torch.nn.utils.fusion.fuse_conv_bn_eval(conv.eval(), norm.eval(), transpose))
        conv = tk.nn.ConvTranspose2d(3, 4, 3) if transpose else tk.nn.Conv2d(3, 4, 3)
        norm = tk.nn.BatchNorm2d(4)
        conv.load_state_dict(states[0]), norm.load_state_dict(states[1])
        fused.append(tk.nn.utils.fuse_conv_bn_eval(conv.eval(), norm.eval(), transpose))
        for a, b in zip(*(layer.state_dict().values() for layer in fused), strict=True):
            np.testing.assert_allclose(array(a), array(b), rtol=1e-5, atol=1e-6)


EXACT = [
    lambda lib: lib.nn.init.eye_(lib.zeros(3, 5)), lambda lib: lib.nn.init.dirac_(lib.zeros(6, 2, 3), 2),
    lambda lib: lib.nn.init.dirac_(lib.zeros(2, 5, 4, 3)), lambda lib: lib.nn.init.constant_(lib.zeros(2), 0.3),
    lambda lib: lib.nn.init.dirac_(lib.zeros(6, 1, 3, 2, 3), 3), lambda lib: lib.nn.init.ones_(lib.zeros(2)),
]  # fmt: skip


@pytest.mark.parametrize("fill", EXACT)
def test_exact_initial_values(fill) -> None:
    both(lambda lib: fill(lib).tolist())


@pytest.mark.parametrize(
    "fill",
    [
        lambda init, t: init.uniform_(t, -2, 0.5), lambda init, t: init.normal_(t, 1, 0.1),
        lambda init, t: init.trunc_normal_(t, 0.5, 1, -0.5, 2), lambda init, t: init.trunc_normal_(t, std=0.02),
        lambda init, t: init.xavier_uniform_(t, 2), lambda init, t: init.xavier_normal_(t),
        lambda init, t: init.kaiming_uniform_(t, 0.3, "fan_out"), lambda init, t: init.kaiming_uniform_(t, nonlinearity="tanh"),
        lambda init, t: init.kaiming_normal_(t, mode="fan_in", nonlinearity="relu"),
        lambda init, t: init.kaiming_normal_(t, nonlinearity="selu"), lambda init, t: init.orthogonal_(t, 3),
    ],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(60, 70), (30, 10, 3, 4)])
def test_distributions(fill, shape) -> None:
    samples = []
    for lib in BOTH:
        lib.manual_seed(0)
        samples.append(np.sort(array(fill(lib.nn.init, lib.empty(*shape))).ravel()))
    ours, theirs = samples
    both_values = np.concatenate(samples)
    gap = np.abs(np.searchsorted(ours, both_values) - np.searchsorted(theirs, both_values)).max() / len(ours)
    assert gap * np.sqrt(len(ours) / 2) < 1.95  # Kolmogorov and Smirnov


@pytest.mark.parametrize(
    "name", ["linear", "conv2d", "conv_transpose1d", "sigmoid", "tanh", "relu", "selu", "leaky_relu"]
)
def test_gains(name) -> None:
    both(lambda lib: (lib.nn.init.calculate_gain(name), lib.nn.init.calculate_gain(name, 0.2)))


def test_public_names_of_modules_are_there() -> None:
    """What a Module of PyTorch can do, but for devices, compilers and what is deprecated."""
    left_out = {
        "T_destination", "bfloat16", "call_super_init", "compile", "dump_patches", "ipu", "mtia", "register_backward_hook",
        "share_memory", "to_empty", "xpu",
    }  # fmt: skip
    for name in ("Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"):
        theirs = {key for key in dir(getattr(torch.nn, name)) if not key.startswith("_")}
        assert theirs - set(dir(getattr(tk.nn, name))) == left_out, name
    for name in ("init", "utils.parametrizations", "utils"):
        module, own = torch.nn, tk.nn
        for part in name.split("."):
            module, own = getattr(module, part), getattr(own, part)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = {key for key, value in vars(module).items() if isinstance(value, types.FunctionType)}
        missing = {key for key in theirs if not key.startswith("_") and not hasattr(own, key)}
        allowed = {
            "clip_grad_norm", "convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format", "orthogonal",
            "skip_init", "register_parametrization",
        }  # fmt: skip
        deprecated = {key for key in missing if hasattr(own, f"{key}_")}
        assert missing - deprecated <= allowed, name
