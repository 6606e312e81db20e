"""State dicts: what is saved, what fits, and that nothing is changed by what does not."""

from collections import OrderedDict

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import CheckpointError


class Net(nn.Module):
    def __init__(self) -> None:
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
        self.head = nn.Linear(2, 3, bias=False)
        self.scale = nn.Parameter(tk.ones(1))

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3))) * self.scale


def values(net):
    return {name: tensor.numpy().copy() for name, tensor in net.state_dict().items()}


def same(one, two) -> bool:
    return list(one) == list(two) and all(np.array_equal(one[name], two[name]) for name in one)


def test_round_trip_and_forward() -> None:
    net, other = Net(), Net()
    x = tk.randn(4, 1, 5, 5)
    net(x)
    assert repr(other.load_state_dict(net.state_dict())) == "<All keys matched successfully>"
    net.eval(), other.eval()
    assert tk.equal(net(x), other(x))
    assert not np.shares_memory(net.scale.array, other.scale.array)


def test_forms_of_the_dict() -> None:
    net = Net()
    state = net.state_dict(prefix="net.")
    assert isinstance(state, OrderedDict)
    assert next(iter(state)) == "net.scale"
    assert not any(value.requires_grad for value in state.values())
    assert np.shares_memory(state["net.scale"].array, net.scale.array)
    assert net.state_dict(keep_vars=True)["scale"] is net.scale
    own = {"other": 1}
    assert net.state_dict(destination=own) is own
    assert list(own)[:2] == ["other", "scale"]
    assert net.state_dict()._metadata["body.1"] == {"version": net.body[1]._version}


def test_loading_bumps_versions() -> None:
    net = Net()
    y = net(tk.randn(2, 1, 5, 5)).sum()
    net.load_state_dict(net.state_dict())
    with pytest.raises(RuntimeError, match="version"):
        y.backward()


def test_a_state_dict_that_does_not_fit() -> None:
    net = Net()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    before = values(net)
    state["body.0.bias"] += 1
    del state["scale"], state["body.1.running_mean"]
    state |= {"surplus": tk.ones(1), "body.0.surplus": tk.ones(1), "body.7.weight": tk.ones(1), "head.bias": "text"}
    state |= {"head.weight": tk.ones(4, 4), "body.0.weight": tk.ones(1), "body.1.weight": "text"}
    with pytest.raises(CheckpointError) as caught:
        net.load_state_dict(state)
    text = str(caught.value)
    for part in [
        "head.weight has shape (4, 4) in the state dict, (3, 2) in the module",
        "body.0.weight has shape (1,)", "body.1.weight is a str in the state dict",
        "missing: scale, body.1.running_mean",
        "not part of the module: surplus, body.7.weight, body.0.surplus, head.bias", "strict=False",
    ]:  # fmt: skip
        assert part in text
    with pytest.raises(CheckpointError, match=r"head\.weight has shape") as caught:
        net.load_state_dict(state, strict=False)
    assert "missing" not in str(caught.value)
    assert same(values(net), before)
    for name in ("head.weight", "body.0.weight", "body.1.weight"):
        del state[name]
    with pytest.raises(CheckpointError, match="missing: scale"):
        net.load_state_dict(state)
    assert same(values(net), before)
    keys = net.load_state_dict(state, strict=False)
    assert keys.missing_keys == ["scale", "body.0.weight", "body.1.weight", "body.1.running_mean", "head.weight"]
    assert keys.unexpected_keys == ["surplus", "body.7.weight", "body.0.surplus", "head.bias"]
    assert "unexpected_keys=['surplus'" in repr(keys)
    assert not np.array_equal(net.body[0].bias.numpy(force=True), before["body.0.bias"])
    with pytest.raises(TypeError, match="dict of tensors"):
        net.load_state_dict([1])


def test_arrays_and_numbers_do() -> None:
    net = Net()
    state = values(net) | {"scale": np.array([4], np.int64), "body.1.num_batches_tracked": 7}
    net.load_state_dict(state)
    assert net.scale.tolist() == [4.0]
    assert net.body[1].num_batches_tracked.item() == 7


def test_shared_parameters_are_saved_under_each_name() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    state = net.state_dict()
    assert len(state) == 4
    net.load_state_dict({name: value.clone() + 1 for name, value in state.items()})
    assert net[1].weight is net[0].weight


def test_assign() -> None:
    net = nn.BatchNorm2d(2)
    state = {name: value.clone().double() for name, value in net.state_dict().items()}
    state["weight"] = nn.Parameter(tk.ones(2), requires_grad=False)
    state["running_var"] = np.full(2, 5.0)
    net.load_state_dict(state, assign=True)
    assert net.weight is state["weight"]
    assert net.weight.requires_grad
    assert isinstance(net.bias, nn.Parameter)
    assert net.bias.dtype == tk.float64
    assert np.shares_memory(net.bias.array, state["bias"].array)
    assert net.running_mean is state["running_mean"]
    assert net.running_var.tolist() == [5.0, 5.0]


def test_hooks_of_saving() -> None:
    net, seen = Net(), []
    net.body.register_state_dict_pre_hook(lambda m, prefix, keep_vars: seen.append((prefix, keep_vars)))
    handle = net.body.register_state_dict_post_hook(lambda m, state, prefix, local: state.update({f"{prefix}more": 1}))
    assert net.state_dict(keep_vars=True)["body.more"] == 1
    assert seen == [("body.", True)]
    handle.remove()
    assert "body.more" not in net.state_dict()
    net.register_state_dict_post_hook(lambda m, state, *rest: state)
    with pytest.raises(RuntimeError, match="returns None"):
        net.state_dict()


def test_hooks_of_loading() -> None:
    net, seen = Net(), []
    state = net.state_dict()
    state["old"] = state.pop("scale") + 1

    def rename(module, given, prefix, *rest) -> None:
        given["scale"] = given.pop("old")

    handle = net.register_load_state_dict_pre_hook(rename)
    net.head.register_load_state_dict_post_hook(lambda m, keys: seen.append((type(m).__name__, net.scale.item())))
    net.load_state_dict(state)
    assert seen == [("Linear", 2.0)]
    assert "old" in state
    handle.remove()
    before = values(net)
    state["head.weight"] = state["head.weight"] + 1
    with pytest.raises(CheckpointError, match="old"):
        net.load_state_dict(state)
    assert same(values(net), before)

    def excuse(module, keys) -> None:
        keys.missing_keys.clear(), keys.unexpected_keys.clear()

    net.register_load_state_dict_post_hook(excuse)
    net.load_state_dict(state)
    assert not same(values(net), before)
    net.register_load_state_dict_post_hook(lambda m, keys: keys)
    with pytest.raises(RuntimeError, match="returns None"):
        net.load_state_dict(state)


class Counting(nn.Linear):
    count = 0

    def get_extra_state(self):
        return {"count": self.count}

    def set_extra_state(self, state) -> None:
        self.count = state["count"]


def test_extra_state(tmp_path) -> None:
    net, other = nn.Sequential(Counting(1, 1)), nn.Sequential(Counting(1, 1))
    net[0].count = 3
    state = net.state_dict()
    assert list(state) == ["0.weight", "0.bias", "0._extra_state"]
    tk.save(state, tmp_path / "state.safetensors")
    other.load_state_dict(tk.load(tmp_path / "state.safetensors"))
    assert other[0].count == 3
    with pytest.raises(CheckpointError, match=r"not part of the module: 0\._extra_state"):
        nn.Sequential(nn.Linear(1, 1)).load_state_dict(state)
    state["0._extra_state"] = {"count": 5}
    with pytest.raises(CheckpointError, match="surplus"):
        other.load_state_dict({**state, "surplus": tk.ones(1)})
    assert other[0].count == 3
    del state["0._extra_state"]
    with pytest.raises(CheckpointError, match=r"missing: 0\._extra_state"):
        other.load_state_dict(state)


def test_modules_that_load_otherwise() -> None:
    """PyTorch's way: the method is overridden, and the dict changed before the base class reads it."""

    class Versioned(nn.Linear):
        _version = 2

        def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest) -> None:
            if (local_metadata.get("version") or 1) < 2:
                state_dict.setdefault(prefix + "bias", tk.zeros(1))
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    net = nn.Sequential(Versioned(1, 1))
    state = net.state_dict()
    plain = {"0.weight": tk.ones(1, 1)}
    net.load_state_dict(plain)
    assert net[0].bias.item() == 0
    assert list(plain) == ["0.weight"]
    del state["0.bias"]
    with pytest.raises(CheckpointError, match=r"missing: 0\.bias"):  # it says that it is of version 2
        net.load_state_dict(state)
    lists = [], [], []
    net[0]._load_from_state_dict({"weight": tk.ones(1, 1) * 5}, "", {}, True, *lists)  # at once, called by itself
    assert net[0].weight.item() == 5
    assert not any(lists)
