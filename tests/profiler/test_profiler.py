"""The profiler: what it records, what it says of it, and that it leaves nothing behind."""

import functools
import json
import threading
import time

import numpy as np
import pytest

import trainkit as tk
import trainkit.nn.functional as F
from trainkit import nn
from trainkit.autograd import Function
from trainkit.autograd.op import OPS, op
from trainkit.errors import ArgumentError, OutputError, ProfilerError
from trainkit.kernels.jit import KERNELS
from trainkit.profiler import Event, profile, record_function
from trainkit.profiler.events import averages
from trainkit.profiler.flops import FORMULAS
from trainkit.profiler.patches import cells


class Double(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


def everything():
    """What a profile may replace, as it is now."""
    held = {}
    for name, function in OPS.items():
        held[name] = function.op.forward, function.op.rule
        held[name, "cells"] = [
            cell.cell_contents for cell in function.__closure__ if type(cell.cell_contents) is not list
        ]
    held |= {name: kernel.call for name, kernel in KERNELS.items() if hasattr(kernel, "call")}
    held[Function] = vars(Function)["apply"], Double._op.rule
    return held | {
        cls: vars(cls)["step"]
        for cls in (tk.optim.Optimizer, *tk.optim.Optimizer.__subclasses__())
        if "step" in vars(cls)
    }


def names(prof, kind="op"):
    return [event.name for event in prof.events if event.kind == kind]


def one(prof, name):
    (found,) = [event for event in prof.events if event.name == name]
    return found


def inside(prof, outer, inner):
    a, b = one(prof, outer), one(prof, inner)
    return a.thread == b.thread and a.start <= b.start and b.start + b.total <= a.start + a.total + 1e-3


def test_a_training_step_is_recorded_whole():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36 * 36, 10))
    optimizer = tk.optim.Adam(net.parameters())
    x, y = tk.randn(8, 1, 38, 38), tk.randint(0, 10, (8,))
    with profile() as prof, record_function("step"):
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
    assert names(prof)[:4] == ["conv2d_relu", "reshape", "linear", "cross_entropy"]
    backward = ["CrossEntropyBackward", "LinearBackward", "ReshapeBackward", "Conv2dReluBackward"]
    assert names(prof, "backward") == backward
    assert names(prof, "optimizer") == ["Adam.step"]
    assert names(prof, "label") == ["step"]
    assert inside(prof, "step", "conv2d_relu")
    assert inside(prof, "Conv2dReluBackward", "conv2d_grad_weight")
    if tk.get_num_threads() > 1:  # else nothing is launched
        assert inside(prof, "Adam.step", "update._adam_all")
        assert any(name.startswith("conv") for name in names(prof, "kernel"))
    label = one(prof, "step")
    assert label.total >= sum(event.total for event in prof.events if event.kind == "optimizer")
    assert sum(event.self_time for event in prof.events) <= label.total * 1.001
    assert prof.duration >= label.total


def test_bytes_shapes_and_operations():
    a, b = tk.ones(3, 5, requires_grad=True), tk.ones(5, 7)
    image, weight = tk.ones(2, 4, 6, 6, requires_grad=True), tk.ones(8, 2, 3, 3, requires_grad=True)
    with profile() as prof:
        product = a @ b
        (product * 2).transpose(0, 1).sum().backward()
        F.conv2d(image, weight, tk.zeros(8), groups=2).sum().backward()
    first, second = [event for event in prof.events if event.name == "mm"]
    assert (first.bytes, first.input_shapes, first.flops) == (3 * 7 * 4, ((3, 5), (5, 7)), 2 * 3 * 5 * 7)
    assert second.flops == 2 * 3 * 7 * 5
    assert one(prof, "MmBackward").flops == second.flops, "the rule took what the product within took"
    assert one(prof, "mul").flops == 21
    assert one(prof, "mul").input_shapes == ((3, 7), None)
    assert one(prof, "MulBackward").flops == 21
    assert next(event for event in prof.events if event.name == "transpose").bytes == 0, "a view"
    taps = 2 * 8 * 4 * 4 * 2 * 3 * 3
    assert one(prof, "conv2d").flops == 2 * taps + 2 * 8 * 4 * 4
    assert one(prof, "conv2d_grad_input").flops == one(prof, "conv2d_grad_weight").flops == 2 * taps
    assert one(prof, "Conv2dBackward").flops == 4 * taps
    with profile(record_shapes=False) as prof:
        a @ b
    assert one(prof, "mm").input_shapes == ()


@pytest.mark.parametrize(
    ("name", "args", "flops"),
    [
        ("stacked_mm", [(4, 2, 3), (4, 3, 5)], 2 * 4 * 2 * 3 * 5), ("mv", [(4, 3), (3,)], 24), ("dot", [(6,), (6,)], 12),
        ("linear", [(2, 3, 4), (5, 4), (5,)], 2 * 3 * 5 * 9), ("linear", [(2, 4), (5, 4), None], 2 * 2 * 5 * 4),
        ("exp", [(3, 4)], 12), ("pow", [(3, 1), (1, 4)], 12), ("sum_all", [(3, 4)], None),
    ],
)  # fmt: skip
def test_operations_of_ops(name, args, flops):
    values = [arg if arg is None else tk.ones(*arg) for arg in args]
    with profile() as prof:
        OPS[name](*values)
    assert one(prof, name).flops == flops


def test_formulas_are_of_ops_that_exist():
    assert set(FORMULAS) <= set(OPS)


def test_every_op_has_a_place_that_is_replaced():
    before = everything()
    places = {name: cells(function, function.op.forward) for name, function in OPS.items()}
    assert all(places[name] for name in ("exp", "add", "transpose", "atan2")), "of one tensor, of two, of views"
    with profile():
        for name, function in OPS.items():
            plain = before[name][0]
            assert function.op.forward is not plain, name
            assert all(cell.cell_contents is function.op.forward for cell in places[name]), name
            assert function.op.rule is None or function.op.rule is not before[name][1], name
    assert everything() == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_all_is_put_back_after_an_exception(error):
    before = everything()
    prof = profile()

    def fail():
        with prof, record_function("part"):
            with pytest.raises(tk.TrainkitError):
                tk.ones(2) + tk.ones(3)
            raise error

    with pytest.raises(error):
        fail()
    assert everything() == before
    assert names(prof, "label") == ["part"]
    assert "add" in names(prof), "what failed took time too"
    count = len(prof.events)
    tk.ones(2) + tk.ones(2)
    assert len(prof.events) == count


def test_all_is_put_back_where_it_cannot_begin(monkeypatch):
    from trainkit.profiler import session

    def install(recorder, patches):
        patches.put(OPS["exp"].op, "forward", None)
        raise MemoryError

    before = everything()
    monkeypatch.setattr(session, "install", install)
    with pytest.raises(MemoryError):
        profile().start()
    assert everything() == before
    monkeypatch.undo()
    with profile():
        pass


def test_what_others_replaced_meanwhile_stays():
    plain = OPS["exp"].op.rule
    try:
        with profile():
            OPS["exp"].op.rule = mine = lambda ctx, grad: grad
        assert OPS["exp"].op.rule is mine
    finally:
        OPS["exp"].op.rule = plain


def test_profiles_are_not_nested_but_may_follow_each_other():
    before = everything()
    with profile() as prof:
        tk.ones(2).exp()
        with pytest.raises(ProfilerError, match="cannot be nested"), profile():
            pass
        with pytest.raises(ProfilerError, match="cannot be nested"):
            prof.start()
        with pytest.raises(ProfilerError, match="does not run"):
            profile().stop()
        tk.ones(2).exp()
    assert names(prof) == ["exp", "exp"]
    with pytest.raises(ProfilerError, match="does not run"):
        prof.stop()
    tk.ones(2).exp()
    assert names(prof) == ["exp", "exp"]
    prof.start()
    tk.ones(2).log()
    assert names(prof) == ["log"], "also while it runs"
    prof.stop()
    assert names(prof) == ["log"]
    assert everything() == before


def test_functions_of_users():
    class Late(Function):
        @staticmethod
        def forward(ctx, x):
            return x + 1

        @staticmethod
        def backward(ctx, grad):
            return grad

    x = tk.ones(3, requires_grad=True)
    before = Double._op.rule, Late._op.rule
    with profile() as prof:

        class Later(Late):
            pass

        Double.apply(Late.apply(Later.apply(x))).sum().backward()
    assert [name for name in names(prof) if name[0].isupper()] == ["Later", "Late", "Double"]
    assert names(prof, "backward")[1:] == ["DoubleBackward", "LateBackward", "LaterBackward"]
    double, product = one(prof, "Double"), next(event for event in prof.events if event.name == "mul")
    assert 0 <= double.start + double.total - product.start - product.total < double.total
    assert (Double._op.rule, Late._op.rule) == before
    rule = Later._op.rule
    assert isinstance(rule, functools.partial)
    assert Double.apply(x).tolist() == [2, 2, 2]


def test_an_optimizer_with_a_step_of_its_own():
    class Mine(tk.optim.SGD):
        def step(self, closure=None):
            return super().step(closure)

    w = tk.ones(2, requires_grad=True)
    with profile() as prof:
        w.sum().backward()
        Mine([w], 0.1).step()
    assert names(prof, "optimizer") == ["Mine.step", "Mine.step"]
    (row,) = [row for row in prof.key_averages() if row.kind == "optimizer"]
    assert row.calls == 2
    assert row.total == max(event.total for event in prof.events if event.kind == "optimizer"), "the inner is within"


def test_second_derivatives_and_views():
    x = tk.ones(3, requires_grad=True)
    with profile() as prof:
        (first,) = tk.autograd.grad((x**3).sum(), x, create_graph=True)
        first.sum().backward()
        y = tk.ones(4) * 1
        y[:2].add_(1)
    assert names(prof, "backward").count("PowBackward") >= 2
    assert x.grad.tolist() == [6, 6, 6]
    assert y.tolist() == [2, 2, 1, 1]


def test_threads():
    """All are recorded, each in its own order, also where a profile begins and ends while they work."""
    x = tk.ones(64, 64, requires_grad=True)
    stop, faults = threading.Event(), []

    def work():
        while not stop.is_set():
            try:
                y = (x.detach().requires_grad_() @ x).relu()
                (grad,) = tk.autograd.grad(y.sum(), y)
                assert y.tolist()[0][0] == 64
                assert grad.tolist()[0][0] == 1
            except (AssertionError, tk.TrainkitError) as error:
                faults.append(error)
                return

    before = everything()
    threads = [threading.Thread(target=work, name=f"worker {i}") for i in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            with profile() as prof:
                time.sleep(0.02)
            assert everything() == before
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not faults
    found = {event.thread for event in prof.events}
    assert 1 <= len(found) <= 3
    assert threading.get_native_id() not in found
    for thread in found:
        mine = [event for event in prof.events if event.thread == thread]
        assert sum(event.self_time for event in mine) <= prof.duration


def test_labels(tmp_path):
    @record_function("whole")
    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)

    assert factorial(3) == 6, "without a profile"
    early = record_function("early")
    early.__enter__()
    with profile() as prof:
        early.__exit__(None, None, None)
        assert factorial(3) == 6
        with pytest.raises(KeyError), record_function("fails"):
            raise KeyError
        a, b = record_function("a"), record_function("b")
        for label in (a, b):
            label.__enter__()
        a.__exit__(None, None, None)
        b.__exit__(None, None, None)
        late = record_function("late")
        late.__enter__()
    late.__exit__(None, None, None)
    assert sorted(set(names(prof, "label"))) == ["a", "b", "fails", "late", "whole"]
    (row,) = [row for row in prof.key_averages() if row.name == "whole"]
    assert row.calls == 3
    assert row.total == max(event.total for event in prof.events if event.name == "whole")


def event(name, start, total, own, *, thread=1, flops=None, size=0, shapes=()):
    return Event(name, "op", thread, start, total, own, size, flops, shapes)


def test_averages():
    events = [
        event("a", 0.0, 10.0, 6.0, flops=100, size=8),
        event("b", 2.0, 4.0, 4.0, size=1),
        event("a", 20.0, 30.0, 30.0, flops=300),
        event("a", 5.0, 8.0, 8.0, thread=2),
        event("b", 60.0, 2.0, 2.0, shapes=((2, 3), None, ())),
    ]
    a, b = averages(events, by_shape=False)
    assert (a.name, a.calls, a.total, a.self_time, a.bytes, a.flops) == ("a", 3, 48.0, 44.0, 8, 400)
    assert a.mean == 16.0
    assert a.share == 44 / 50
    assert a.flops_per_second == pytest.approx(400 / 48e-6)
    assert b.flops_per_second is None
    assert len(averages(events, by_shape=True)) == 3
    assert averages([], by_shape=False) == []


def test_the_table():
    with profile() as prof:
        x = tk.ones(200, 200)
        for _ in range(3):
            y = x @ x
        (y.exp() + y).sum()
    lines = str(prof).splitlines()
    assert lines[0].split() == ["name", "kind", "calls", "total", "self", "mean", "share", "bytes", "FLOP/s"]
    (row,) = [line for line in lines if line.startswith("mm ")]
    assert row.split()[1:3] == ["op", "3"]
    assert "480.00 kB" in row
    assert row.endswith((" G", " M"))
    assert lines[-1].endswith("ms in all")
    by_name = prof.table(sort_by="name", limit=1).splitlines()
    assert by_name[2].startswith("add")
    assert by_name[3].startswith("and ")
    assert prof.table("cpu_time_total", None) == prof.table("total", None)
    assert prof.table(limit=0).count("\n") == 3
    assert "200x200 200x200" in prof.table(group_by_input_shape=True)
    with pytest.raises(ArgumentError, match="sorted by self, total"):
        prof.table("duration")
    for limit in (-1, 2.5, True):
        with pytest.raises(ArgumentError, match="limit"):
            prof.table(limit=limit)
    assert "0 calls in 0 threads" in str(profile())
    assert repr(profile()) == "<profile: not started, 0 events>"
    assert repr(prof).startswith("<profile: ended, ")


def test_the_chrome_trace(tmp_path):
    file = tmp_path / "trace.json"
    file.write_text("an old one")
    with profile() as prof:
        w = tk.ones(400, 400, requires_grad=True)
        (w @ w).relu().sum().backward()
    prof.export_chrome_trace(file)
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]
    content = json.loads(file.read_text())
    entries = [entry for entry in content["traceEvents"] if entry["ph"] == "X"]
    assert len(entries) == len(prof.events)
    assert {entry["ph"] for entry in content["traceEvents"]} == {"X", "M"}
    for entry in entries:
        assert {"pid", "tid", "ts", "dur", "name", "cat", "args"} <= entry.keys()
        assert entry["dur"] >= 0
        assert entry["ts"] >= 0
    product = next(entry for entry in entries if entry["name"] == "mm")
    assert product["args"]["Input Dims"] == [[400, 400], [400, 400]]
    assert product["args"]["flops"] == 2 * 400**3
    assert product["args"]["bytes"] == 4 * 400**2
    if tk.get_num_threads() > 1:
        launch = next(entry for entry in entries if entry["name"].startswith("matmul") and entry["cat"] == "kernel")
        assert product["ts"] <= launch["ts"] + 1e-2
        assert launch["ts"] + launch["dur"] <= product["ts"] + product["dur"] + 1e-2
    threads = [entry for entry in content["traceEvents"] if entry["name"] == "thread_name"]
    assert [entry["args"]["name"] for entry in threads] == [threading.current_thread().name]
    with pytest.raises(OutputError, match="cannot write the trace"):
        prof.export_chrome_trace(tmp_path / "no" / "such" / "folder.json")


def test_nothing_is_kept_alive():
    x = tk.ones(1 << 18)
    before = tk.memory_stats().in_use
    with profile() as prof:
        tk.relu(x)
    assert tk.memory_stats().in_use == before
    assert prof.events


def test_results_are_the_same_to_the_bit():
    def losses():
        tk.manual_seed(3)
        net = nn.Sequential(nn.Linear(20, 30), nn.BatchNorm1d(30), nn.Dropout(0.2), nn.Tanh(), nn.Linear(30, 3))
        optimizer = tk.optim.SGD(net.parameters(), 0.1, momentum=0.9)
        x, y = tk.randn(64, 20), tk.randint(0, 3, (64,))
        found = []
        for _ in range(4):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found

    plain = losses()
    with profile():
        profiled = losses()
    np.testing.assert_array_equal(profiled, plain)


def test_an_op_made_while_a_profile_runs_is_left_alone():
    with profile() as prof:

        @op
        def made_while_profiled(ctx, x):
            return x + 1

    try:
        assert made_while_profiled(tk.ones(2)).tolist() == [2, 2]
        assert "made_while_profiled" not in names(prof)
    finally:
        del OPS["made_while_profiled"]
