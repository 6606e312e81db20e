"""TensorBoard's files, read back by TensorBoard."""

import errno
import io
import logging
import zlib

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.callbacks import Callback, ClipGradValue, GradientMonitor, ModelCheckpoint, TensorBoardLogger
from trainkit.callbacks.tensorboard_graph import graph_of
from trainkit.callbacks.tensorboard_parts import image_summary
from trainkit.engine import Engine
from trainkit.errors import ArgumentError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def data() -> tuple[tk.Tensor, tk.Tensor]:
    x = tk.randn(8, 2)
    return x, (x[:, 0] > 0).long()


def make(**options) -> tk.Trainer:
    return tk.Trainer(nn.Linear(2, 2), ("sgd", {"lr": 0.5}), "cross_entropy", ["accuracy"], **options)


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0, "images": 0, "tensors": 0})
    events.Reload()
    return events


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    events = read(folder)
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


# ---- scalars ----


def test_scalars_read_back(data, tmp_path) -> None:
    logger = TensorBoardLogger(tmp_path / "run")
    history = make().fit(*data, batch_size=4, epochs=3, validation_data=data, callbacks=[logger], verbose=0)
    written = scalars(tmp_path / "run")
    assert sorted(written) == ["accuracy/train", "accuracy/valid", "loss/train", "loss/valid", "lr"]
    for tag, name in [("loss/train", "loss"), ("accuracy/valid", "val_accuracy"), ("lr", "lr")]:
        assert [step for step, _ in written[tag]] == [2, 4, 6]
        np.testing.assert_allclose([value for _, value in written[tag]], [row[name] for row in history], rtol=1e-6)


def test_training_and_validation_of_a_metric_share_a_chart(data, tmp_path) -> None:
    from tensorboard.plugins.custom_scalar import layout_pb2

    make().fit(*data, validation_data=data, callbacks=[TensorBoardLogger(tmp_path)], verbose=0)
    (event,) = read(tmp_path).Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    charts = {chart.title: list(chart.multiline.tag) for chart in layout.category[0].chart}
    assert charts == {name: [f"^{name}/train$", f"^{name}/valid$"] for name in ("loss", "accuracy")}


def test_scalars_of_steps_and_of_other_callbacks(data, tmp_path) -> None:
    class More(Callback):
        provides = ("speed", "recall", "report", "matrix")

        def on_epoch_end(self) -> None:
            self.state.metrics.update(
                {"speed": 3, "recall": np.array([0.5, 1.0]), "report": {"a": {"f1": 0.25}}, "matrix": np.eye(2)}
            )

    callbacks = [TensorBoardLogger(tmp_path, every=2), More(), GradientMonitor(per_layer=True)]
    make().fit(*data, batch_size=2, epochs=2, callbacks=callbacks, verbose=0)
    written = scalars(tmp_path)
    assert sorted(written) == [
        "accuracy/train", "grad_norm", "grad_norm/batch", "grad_norms/Linear", "grad_norms/Linear/batch", "loss/batch",
        "loss/train", "lr", "recall/0", "recall/1", "report/a/f1", "speed",
    ]  # fmt: skip
    for tag in ("loss/batch", "lr", "grad_norm/batch"):
        assert [step for step, _ in written[tag]] == [2, 4, 6, 8]
    assert written["recall/0"] == [(4, 0.5), (8, 0.5)]


def test_rates_of_all_groups(data, tmp_path) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    groups = [{"params": part.parameters(), "lr": 0.1 * (i + 1)} for i, part in enumerate(net)]
    groups[2]["name"] = "head"
    trainer = tk.Trainer(net, tk.optim.SGD(groups, lr=1.0), "cross_entropy")
    trainer.fit(*data, callbacks=[TensorBoardLogger(tmp_path)], verbose=0)
    written = scalars(tmp_path)
    assert {tag: round(written[tag][0][1], 6) for tag in written if tag.startswith("lr")} == {
        "lr/0": 0.1,
        "lr/1": 0.2,
        "lr/head": 0.3,
    }


def test_on_a_bare_engine(tmp_path) -> None:
    engine = Engine(lambda engine, batch: float(batch))
    engine.state.metrics.update(level=0.5, lr=0.1)
    engine.attach(TensorBoardLogger(tmp_path, every=1))
    engine.run([1, 2])
    assert scalars(tmp_path) == {
        "loss/batch": [(1, 1.0), (2, 2.0)],
        "level/train": [(2, 0.5)],
        "lr": [(1, pytest.approx(0.1)), (2, pytest.approx(0.1))],
    }
    with pytest.raises(ArgumentError, match="optimizer's steps"):
        engine.attach(TensorBoardLogger(tmp_path, histograms=1))


def test_a_resumed_run_does_not_double_its_curves(data, tmp_path) -> None:
    class Stop(Callback):
        priority = 300

        def on_train_batch_end(self) -> None:
            if self.state.iteration == 7:
                raise RuntimeError("power cut")

    def run(*others, **options) -> None:
        callbacks = [TensorBoardLogger(tmp_path / "run", every=1), ModelCheckpoint(tmp_path / "saved"), *others]
        make().fit(*data, batch_size=4, epochs=5, callbacks=callbacks, verbose=0, **options)

    with pytest.raises(RuntimeError):
        run(Stop())
    assert [step for step, _ in scalars(tmp_path / "run")["loss/batch"]] == [1, 2, 3, 4, 5, 6, 7]
    run(resume=tmp_path / "saved")
    assert len(list((tmp_path / "run").iterdir())) == 2, "also of two runs in one second"
    written = scalars(tmp_path / "run")
    assert [step for step, _ in written["loss/batch"]] == list(range(1, 11))
    assert [step for step, _ in written["loss/train"]] == [2, 4, 6, 8, 10]


def test_the_writer_is_the_users_too(data, tmp_path) -> None:
    logger = TensorBoardLogger(tmp_path, text={"purpose": "A **test**."})
    trainer = make(callbacks=[logger])

    class Own(Callback):
        def on_epoch_end(self) -> None:
            logger.writer.add_scalar("own", 1.0, self.state.iteration)

    trainer.fit(*data, epochs=2, callbacks=[Own()], verbose=0)
    logger.writer.add_scalar("after", 2.0, 9)
    logger.writer.close()
    written = scalars(tmp_path)
    assert written["own"] == [(1, 1.0), (2, 1.0)]
    assert written["after"] == [(9, 2.0)]
    events = read(tmp_path)
    texts = {
        tag: events.Tensors(tag)[0].tensor_proto.string_val[0].decode()
        for tag in events.Tags()["tensors"]
        if "text" in tag
    }
    assert texts["purpose/text_summary"] == "A **test**."
    assert "Linear(in_features=2" in texts["model/text_summary"]
    assert "SGD" in texts["optimizer/text_summary"]


# ---- histograms ----


@pytest.mark.parametrize(("per", "every", "steps"), [("epoch", 2, [8, 16]), ("step", 3, [3, 6, 9, 12, 15])])
def test_histograms_of_weights_and_of_final_gradients(data, tmp_path, per, every, steps) -> None:
    logger = TensorBoardLogger(tmp_path, histograms=every, histograms_per=per)
    trainer = make()
    trainer.freeze("bias")
    callbacks = [logger, ClipGradValue(1e-6)]  # registered after it, and yet before it
    trainer.fit(*data, batch_size=2, epochs=4, callbacks=callbacks, verbose=0)
    events = read(tmp_path)
    assert sorted(events.Tags()["histograms"]) == ["gradients/weight", "weights/bias", "weights/weight"]
    for tag in ("gradients/weight", "weights/weight"):
        assert [e.step for e in events.Histograms(tag)] == steps
    assert max(abs(e.histogram_value.max) for e in events.Histograms("gradients/weight")) <= 1.1e-6
    if per == "epoch":
        last = events.Histograms("weights/weight")[-1].histogram_value
        assert last.sum == pytest.approx(trainer.model.weight.sum().item(), rel=1e-5)


def test_histograms_with_accumulation_see_the_gradient_of_all_batches(data, tmp_path) -> None:
    seen = []

    class Look(Callback):
        priority = 300

        def on_before_optimizer_step(self) -> None:
            seen.append(float(self.trainer.model.weight.grad.array.max()))

    logger = TensorBoardLogger(tmp_path, histograms=1)
    make().fit(*data, batch_size=2, accumulate=3, callbacks=[logger, Look()], verbose=0)
    found = read(tmp_path).Histograms("gradients/weight")
    assert [e.step for e in found] == [4]
    assert found[0].histogram_value.max == pytest.approx(seen[-1])


def test_histograms_of_what_is_not_finite(data, tmp_path) -> None:
    trainer = make()
    trainer.model.weight.array[0, 0] = np.nan
    trainer.model.bias.array[:] = np.inf
    with np.errstate(all="ignore"):
        trainer.fit(*data, callbacks=[TensorBoardLogger(tmp_path, histograms=1)], verbose=0)
    assert "weights/bias" not in read(tmp_path).Tags()["histograms"]


# ---- images ----


def decoded(png: bytes) -> np.ndarray:
    """Read the PNGs that we write: no filter, no interlacing."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
    channels = {0: 1, 2: 3, 6: 4}[png[25]]
    start = png.index(b"IDAT")
    length = int.from_bytes(png[start - 4 : start])
    assert int.from_bytes(png[start + 4 + length : start + 8 + length]) == zlib.crc32(png[start : start + 4 + length])
    rows = np.frombuffer(zlib.decompress(png[start + 4 : start + 4 + length]), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, channels)


@pytest.mark.parametrize(
    ("shape", "size", "channels"),
    [
        ((5, 7), (5, 7), 1),
        ((3, 5, 7), (5, 7), 3),
        ((6, 5, 7), (12, 25), 1),
        ((4, 4, 5, 7), (12, 16), 4),
        ((5, 3, 5, 7), (12, 25), 3),
        ((100, 1, 2, 2), (30, 30), 1),
    ],
)
def test_images_are_laid_out(shape, size, channels) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    value = image_summary("tag", array).value[0].image
    assert (value.height, value.width, value.colorspace) == (*size, channels)
    pixels = decoded(value.encoded_image_string)
    first = (
        array
        if array.ndim == 2
        else array[0]
        if array.ndim == 3 and channels == 1
        else array
        if array.ndim == 3
        else array[0]
    )
    np.testing.assert_array_equal(
        pixels[:5, :7].squeeze()[: shape[-2], : shape[-1]],
        first.transpose(1, 2, 0).squeeze() if first.ndim == 3 else first,
    )


def test_images_are_what_another_reader_sees() -> None:
    image = pytest.importorskip("PIL.Image")
    array = np.random.default_rng(0).integers(0, 256, (3, 5, 7), dtype=np.uint8)
    png = image_summary("tag", array).value[0].image.encoded_image_string
    np.testing.assert_array_equal(np.asarray(image.open(io.BytesIO(png))), array.transpose(1, 2, 0))


def test_the_range_of_images() -> None:
    def pixels(values) -> list[int]:
        return decoded(image_summary("tag", np.array([values])).value[0].image.encoded_image_string).ravel().tolist()

    assert pixels([0.0, 0.5, 0.25]) == [0, 128, 64]
    assert pixels([-1.0, 0.0, 1.0]) == [0, 128, 255]
    assert pixels([np.nan, 4.0, 0.0]) == [0, 255, 0]
    assert pixels([7.0, 7.0]) == [0, 0]
    for shape in [(2,), (2, 2, 5, 7), (1, 2, 3, 4, 5), (0, 1, 2, 2)]:
        with pytest.raises(ArgumentError, match="images are"):
            image_summary("tag", np.zeros(shape))


def test_images_of_each_epoch(data, tmp_path) -> None:
    logger = TensorBoardLogger(
        tmp_path, log_images=lambda trainer: {"weight": trainer.model.weight, "other": np.zeros((2, 3, 4, 4))}
    )
    make().fit(*data, epochs=3, callbacks=[logger], verbose=0)
    events = read(tmp_path)
    assert {tag: [e.step for e in events.Images(tag)] for tag in events.Tags()["images"]} == {
        "weight": [1, 2, 3],
        "other": [1, 2, 3],
    }


@pytest.mark.parametrize("kind", ["classifier", "autoencoder"])
def test_a_fixed_batch_of_images(tmp_path, kind) -> None:
    x = tk.rand(4, 1, 6, 6)
    if kind == "classifier":
        trainer, y = (
            tk.Trainer(nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), "sgd", "cross_entropy"),
            tk.tensor([0, 1, 0, 1]),
        )
    else:
        trainer, y = tk.Trainer(nn.Conv2d(1, 1, 3, padding=1), "sgd", "mse"), x
    trainer.fit(x, y, epochs=2, callbacks=[TensorBoardLogger(tmp_path, log_images=x)], verbose=0)
    events = read(tmp_path)
    found = {tag: [e.step for e in events.Images(tag)] for tag in events.Tags()["images"]}
    assert found == {"images": [0]} | ({"outputs": [1, 2]} if kind == "autoencoder" else {})


# ---- hyper-parameters ----


@pytest.mark.parametrize("failed", [False, True])
def test_hyper_parameters_in_the_run_itself(data, tmp_path, failed) -> None:
    from tensorboard.plugins.hparams import metadata

    class Fail(Callback):
        def on_train_batch_end(self) -> None:
            if failed:
                raise RuntimeError("boom")

    hparams = {"lr": 0.5, "width": np.int64(4), "name": "x", "deep": True, "sizes": (1, 2), "none": None}
    trainer = make()
    try:
        trainer.fit(*data, callbacks=[TensorBoardLogger(tmp_path, hparams=hparams), Fail()], verbose=0)
    except RuntimeError:
        assert failed
    assert len(list(tmp_path.iterdir())) == 1, "no folder of a second run"
    events = read(tmp_path)
    content = events.PluginTagToContent("hparams")
    start = metadata.parse_session_start_info_plugin_data(content["_hparams_/session_start_info"])
    found = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
    assert found == {"lr": 0.5, "width": 4.0, "name": "x", "deep": True, "sizes": "(1, 2)", "none": "None"}
    experiment = metadata.parse_experiment_plugin_data(content["_hparams_/experiment"])
    assert [info.name for info in experiment.hparam_infos] == list(hparams)
    assert [info.name.tag for info in experiment.metric_infos] == ["loss/train", "accuracy/train"]
    end = metadata.parse_session_end_info_plugin_data(content["_hparams_/session_end_info"])
    assert end.status == (2 if failed else 1)


# ---- the graph ----


class Block(nn.Module):
    def __init__(self) -> None:
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.norm = nn.BatchNorm2d(2)

    def forward(self, x):
        return (self.norm(self.conv(x)) + x).relu()


class Net(nn.Module):
    def __init__(self) -> None:
        self.blocks = nn.Sequential(Block(), Block())
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.blocks(x), 2)
        return self.head(self.drop(x.flatten(1)))


def nodes_of(graph) -> dict:
    found = {node.name: node for node in graph.node}
    assert len(found) == len(graph.node)
    for node in graph.node:
        assert all(name in found for name in node.input), f"{node.name} draws from what is not there"
    return found


def test_the_graph_has_modules_as_boxes() -> None:
    net = Net()
    net.train()
    x, state = tk.rand(5, 2, 4, 4), tk.get_rng_state()
    before = {name: value.numpy().copy() for name, value in net.state_dict().items()}
    nodes = nodes_of(graph_of(net, (x,), {}))
    for path in ("blocks/0/conv", "blocks/0/norm", "blocks/1/conv", "head"):
        assert f"{path}/weight" in nodes
        assert f"{path}/bias" in nodes
    convolution = next(
        node
        for name, node in nodes.items()
        if name.startswith("blocks/1/conv/") and node.op not in ("Parameter", "Input")
    )
    assert "blocks/1/conv/weight" in convolution.input
    assert any(name.startswith("blocks/0/") for name in convolution.input), "it draws from the first block"
    shape = [dim.size for dim in convolution.attr["_output_shapes"].list.shape[0].dim]
    assert shape == [5, 2, 4, 4]
    assert b"Conv2d(2, 2" in convolution.attr["module"].s
    addition = next(node for name, node in nodes.items() if name.startswith("blocks/0/Add"))
    assert "input" in addition.input, "the short cut"
    assert any(name.startswith("MaxPool") or "Pool" in name for name in nodes), (
        "a function's op lies in the box around it"
    )
    assert nodes["output"].input[0].startswith("head/")
    assert [dim.size for dim in nodes["input"].attr["_output_shapes"].list.shape[0].dim] == [5, 2, 4, 4]
    assert nodes["head/weight"].op == "Parameter"
    assert net.training
    assert tk.get_rng_state() == state
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_graph_of_a_frozen_model_and_of_a_module_called_twice() -> None:
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, nn.ReLU(inplace=True), layer)
    net.requires_grad_(False)
    nodes = nodes_of(graph_of(net, (tk.rand(3, 2),), {}))
    assert "0/Linear_1" in nodes or sum(name.startswith("0/") for name in nodes) >= 2


def test_the_graph_of_tokens_and_of_several_inputs_and_outputs() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            self.table = nn.Parameter(tk.randn(7, 4))
            self.fc = nn.Linear(4, 2)

        def forward(self, tokens, scale=None):
            x = self.fc(self.table[tokens].mean(1)) * scale["by"]
            return {"a": x, "b": (x.exp(), x)}

    nodes = nodes_of(graph_of(Words(), (tk.tensor([[1, 2], [3, 4]]),), {"scale": {"by": tk.ones(1)}}))
    assert {"input", "input_1", "table"} <= set(nodes)
    assert any("input" in node.input for node in nodes.values()), "the tokens lead somewhere"
    assert len(nodes["output"].input) == 2


def test_the_graph_is_written_at_the_first_batch(data, tmp_path) -> None:
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    trainer = make()
    tk.manual_seed(3)
    plain = make().fit(*data, epochs=2, seed=5, verbose=0)
    tk.manual_seed(3)
    drawn = make().fit(*data, epochs=2, seed=5, callbacks=[TensorBoardLogger(tmp_path, graph=True)], verbose=0)
    assert [row["loss"] for row in drawn] == [row["loss"] for row in plain]
    graph = read(tmp_path).Graph()
    assert isinstance(graph, GraphDef)
    assert {"input", "weight", "bias", "output"} <= {node.name for node in graph.node}
    assert not trainer.model.weight.requires_grad or trainer.model.weight.grad is None


def test_a_graph_that_cannot_be_drawn_does_not_stop_a_run(data, tmp_path, caplog) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            self.fc = nn.Linear(2, 2)

        def forward(self, x):
            if not self.training:
                raise ValueError("not in evaluation")
            return self.fc(x)

    trainer = tk.Trainer(Odd(), "sgd", "cross_entropy")
    assert len(trainer.fit(*data, callbacks=[TensorBoardLogger(tmp_path, graph=True)], verbose=0)) == 1
    assert "graph cannot be drawn: not in evaluation" in caplog.text
    assert trainer.model.training


# ---- faults ----


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_full_disk_does_not_hang_a_run(data, tmp_path, monkeypatch, caplog) -> None:
    """The thread that writes dies of an error, and whatever is put into its queue afterwards would wait for ever."""
    logger = TensorBoardLogger(tmp_path, every=1)

    class Full(Callback):
        def on_epoch_begin(self) -> None:
            if self.state.epoch == 2:
                writer = logger.writer.file_writer.event_writer

                def fail(*args) -> None:
                    raise OSError(errno.ENOSPC, "No space left on device")

                monkeypatch.setattr(writer._ev_writer, "write_event", fail)
                logger.writer.add_scalar("x", 0.0, 0)
                writer._worker.join(10)

    with caplog.at_level(logging.WARNING):
        history = make().fit(*data, batch_size=1, epochs=300, callbacks=[logger, Full()], verbose=0)
    assert len(history) == 300
    assert [record.getMessage() for record in caplog.records] == [
        f"cannot write into {tmp_path}: TensorBoard will show nothing more of this run"
    ]
    logger.writer.add_scalar("y", 1.0, 1)
    logger.writer.close()


def test_an_exception_leaves_the_file_whole(data, tmp_path) -> None:
    class Fail(Callback):
        def on_epoch_begin(self) -> None:
            if self.state.epoch == 3:
                raise RuntimeError("boom")

    with pytest.raises(RuntimeError):
        make().fit(*data, epochs=5, callbacks=[TensorBoardLogger(tmp_path, graph=True), Fail()], verbose=0)
    assert len(scalars(tmp_path)["loss/train"]) == 2


@pytest.mark.parametrize("options", [{"every": -1}, {"histograms": -1}, {"histograms_per": "batch"}])
def test_bad_options(tmp_path, options) -> None:
    with pytest.raises(ArgumentError, match="must be"):
        TensorBoardLogger(tmp_path, **options)


def test_the_rate_of_an_epoch_is_that_it_was_trained_with(tmp_path) -> None:
    net = nn.Linear(2, 2)
    trainer = tk.Trainer(net, ("sgd", {"lr": 0.5}), "cross_entropy")
    x, y = tk.zeros(6, 2), tk.tensor([0, 1] * 3)
    callbacks = [
        tk.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=0, threshold=0.9),
        TensorBoardLogger(tmp_path, every=5),
    ]
    history = trainer.fit(x, y, batch_size=2, epochs=3, callbacks=callbacks, verbose=0)
    assert [row["lr"] for row in history] == pytest.approx([0.5, 0.5, 0.05])
    assert scalars(tmp_path)["lr"] == [
        (step, pytest.approx(rate)) for step, rate in [(3, 0.5), (5, 0.5), (6, 0.5), (9, 0.05)]
    ]
