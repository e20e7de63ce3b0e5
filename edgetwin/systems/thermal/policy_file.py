"""A student on disk: one ONNX file that holds network, normaliser, calibration and provenance."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.storage import exact_json
from edgetwin.systems.thermal.calibration import Calibration
from edgetwin.systems.thermal.features import COUNT, NAMES
from edgetwin.systems.thermal.net import Net

KEY: Final = "edgetwin"
PARITY: Final = 0.995
OPSET: Final = 17
"""Understood by every onnxruntime since 1.12, and by vendor tools that trail behind."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A loaded student: rate(features (rows, 21)) gives ratings (rows, 8).

    about: features, normaliser, calibration, data_sha256, metrics and whatever made it.
    """

    about: Mapping[str, Any]
    calibration: Calibration
    session: Any

    def rate(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Ratings (rows, 8) of features (rows, 21), by onnxruntime on one core."""
        return np.asarray(self.session.run(None, {"features": x})[0])


def to_onnx(net: Net, about: Mapping[str, Any]) -> bytes:
    """The network with its normaliser as an ONNX model, float32."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, values = [], [("mean", net.mean), ("scale", net.scale)]
    nodes.append(helper.make_node("Sub", ["features", "mean"], ["centred"]))
    nodes.append(helper.make_node("Div", ["centred", "scale"], ["h0"]))
    last = len(net.weights) - 1
    for k, (w, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        values += [(f"w{k}", np.ascontiguousarray(w.T)), (f"b{k}", b)]
        out = "ratings" if k == last else f"a{k}"
        nodes.append(helper.make_node("Gemm", [f"h{k}", f"w{k}", f"b{k}"], [out]))
        if k < last:
            nodes.append(helper.make_node("Relu", [f"a{k}"], [f"h{k + 1}"]))
    graph = helper.make_graph(
        nodes,
        "student",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", COUNT])],
        [helper.make_tensor_value_info("ratings", TensorProto.FLOAT, ["rows", 8])],
        [numpy_helper.from_array(np.asarray(v, np.float32), name) for name, v in values],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    _describe(model, {**about, "features": NAMES, "mean": net.mean, "scale": net.scale})
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _describe(model: Any, about: Mapping[str, Any]) -> None:
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, exact_json(about)


def to_int8(float_model: bytes, x: NDArray[np.float32]) -> bytes:
    """The model with int8 weights and activations, ranges taken from features x (rows, 21).

    The normaliser and the last layer stay in float: ratings differ by hundredths, and the last
    layer is 3 % of the work.
    """
    import logging
    import tempfile

    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = onnx.load_from_string(float_model)
    gemms = [node for node in model.graph.node if node.op_type == "Gemm"]
    for k, node in enumerate(gemms):
        node.name = f"gemm{k}"
    with tempfile.TemporaryDirectory() as room:
        before, after = Path(room) / "float.onnx", Path(room) / "int8.onnx"
        before.write_bytes(model.SerializeToString())
        quiet = logging.getLogger()
        level = quiet.level
        quiet.setLevel(logging.ERROR)
        try:
            quantize_static(
                str(before), str(after), _Ranges(x), quant_format=QuantFormat.QDQ,
                per_channel=True, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
                nodes_to_quantize=[node.name for node in gemms[:-1]],
            )  # fmt: skip
        finally:
            quiet.setLevel(level)
        made = onnx.load(str(after))
    found = {e.key: e.value for e in made.metadata_props}
    if KEY not in found:
        original = next(e.value for e in model.metadata_props if e.key == KEY)
        entry = made.metadata_props.add()
        entry.key, entry.value = KEY, original
    return bytes(made.SerializeToString())


@final
class _Ranges:
    """Features in the form in which onnxruntime asks for them."""

    def __init__(self, x: NDArray[np.float32]) -> None:
        self._left = iter([{"features": x}])

    def get_next(self) -> dict[str, Any] | None:
        """All features at once, then nothing."""
        return next(self._left, None)


def same_decisions(a: NDArray[Any], b: NDArray[Any], free: NDArray[np.bool_]) -> float:
    """Share of rows in which two sets of ratings (rows, cores) choose the same free core."""
    first, second = (np.where(free, ratings, -np.inf).argmax(axis=1) for ratings in (a, b))
    return float(np.mean(first == second))


def load(source: str | Path | bytes) -> PolicyFile:
    """A student from its file; ValueError for an ONNX file that is none."""
    import json

    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    name = "the model" if isinstance(source, bytes) else str(source)
    if not isinstance(source, bytes):
        if not Path(source).is_file():
            raise FileNotFoundError(f"no policy file at {name}; make one: edgetwin train-manager")
        source = Path(source).read_bytes()
    session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map.get(KEY)
    if about is None:
        raise ValueError(f"{name} is no student; make one with edgetwin train-manager.")
    told = json.loads(about)
    if tuple(told["features"]) != NAMES:
        raise ValueError(f"{name} wants other features than these 21; train it again.")
    calibration = told["calibration"] | {
        "reliability": tuple(tuple(r) for r in told["calibration"]["reliability"])
    }
    return PolicyFile(about=told, calibration=Calibration(**calibration), session=session)


def described(calibration: Calibration, **facts: Any) -> dict[str, Any]:
    """What a policy file says of itself."""
    return {"calibration": asdict(calibration), **facts}
