"""A small TensorFlow Serving: exported models behind its own REST and gRPC, on loopback ports.

    python tests/server.py FOLDER [--batch 16 --timeout 0.005]

FOLDER contains exported models, NAME/VERSION; the newest version of each is served. Prints {"rest":
port, "grpc": port} and serves until stdin ends. tensorflow_model_server is in no registry that this
project reaches. This server imitates what a client sees of it: paths, JSON and gRPC messages, the
statuses of invalid requests, and the batching of concurrent requests with padding to the longest
(`pad_variable_length_inputs`).
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import sys
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

HTTP = {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "INTERNAL": 500}


class Refused(Exception):
    """A refused request: name of the gRPC code, and the reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Servable:
    """The newest version of a model below `folder`."""

    def __init__(self, folder: Path, batch: int, timeout: float) -> None:
        self.version = max(int(p.name) for p in folder.iterdir() if p.name.isdecimal())
        path = folder / str(self.version)
        self.model = tf.saved_model.load(str(path))
        graph = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
        self.signatures = {
            name: definition
            for name, definition in graph.meta_graphs[0].signature_def.items()
            if not name.startswith("__")
        }
        self.batchers: dict[str, Batcher] = {}
        if batch > 1:
            for name in self.signatures:
                self.batchers[name] = Batcher(self.model.signatures[name], batch, timeout)

    def predict(self, signature: str, inputs: dict[str, Any]) -> dict[str, np.ndarray]:
        """Check and run one request; `inputs` are arrays (gRPC) or nested lists (REST)."""
        name = signature or "serving_default"
        if name not in self.signatures:
            raise Refused("NOT_FOUND", f"signature {name!r} is not in the model")
        expected = self.signatures[name].inputs
        if inputs.keys() != expected.keys():
            raise Refused("INVALID_ARGUMENT", f"inputs {sorted(inputs)}: {sorted(expected)} needed")
        tensors = {key: convert(key, inputs[key], spec) for key, spec in expected.items()}
        try:
            if self.batchers:
                return self.batchers[name](tensors)
            found = self.model.signatures[name](**tensors)
            return {key: value.numpy() for key, value in found.items()}
        except tf.errors.InvalidArgumentError as error:
            raise Refused("INVALID_ARGUMENT", error.message) from None


def convert(name: str, value: Any, spec: meta_graph_pb2.TensorInfo) -> tf.Tensor:
    """Convert a value of a request to the tensor that the signature declares."""
    kind = tf.dtypes.as_dtype(spec.dtype)
    try:
        array = np.asarray(value)
        if not isinstance(value, np.ndarray) and array.dtype.kind in (
            "if" if kind.is_floating else "i"
        ):
            array = array.astype(kind.as_numpy_dtype)  # JSON has one kind of number
    except (ValueError, TypeError, OverflowError) as error:
        raise Refused("INVALID_ARGUMENT", f"{name}: {error}") from None
    if array.dtype != kind.as_numpy_dtype:
        raise Refused("INVALID_ARGUMENT", f"{name}: {kind.name} needed, found {array.dtype}")
    shape = [dim.size for dim in spec.tensor_shape.dim]
    if not tf.TensorShape([None if n < 0 else n for n in shape]).is_compatible_with(array.shape):
        raise Refused("INVALID_ARGUMENT", f"{name}: shape {shape} needed, found {array.shape}")
    return tf.constant(array)


class Batcher:
    """Joins concurrent requests: up to `size` rows, or those that arrive in `timeout` seconds."""

    def __init__(self, call: Any, size: int, timeout: float) -> None:
        self.call, self.size, self.timeout = call, size, timeout
        self.waiting: queue.Queue[tuple[dict[str, tf.Tensor], futures.Future]] = queue.Queue()
        threading.Thread(target=self._serve, daemon=True).start()

    def __call__(self, tensors: dict[str, tf.Tensor]) -> dict[str, np.ndarray]:
        future: futures.Future = futures.Future()
        self.waiting.put((tensors, future))
        return future.result()

    def _serve(self) -> None:
        while True:
            batch = [self.waiting.get()]
            end = time.monotonic() + self.timeout
            while sum(len(tensors["lengths"]) for tensors, _ in batch) < self.size:
                try:
                    batch.append(self.waiting.get(timeout=max(0, end - time.monotonic())))
                except queue.Empty:
                    break
            self._run(batch)

    def _run(self, batch: list[tuple[dict[str, tf.Tensor], futures.Future]]) -> None:
        requests = [{k: t.numpy() for k, t in tensors.items()} for tensors, _ in batch]
        joined = {}
        for key in requests[0]:
            arrays = [request[key] for request in requests]
            longest = np.max([a.shape[1:] for a in arrays], axis=0)
            joined[key] = np.concatenate([pad(a, longest) for a in arrays])
        try:
            outputs = {k: v.numpy() for k, v in self.call(**map_tensors(joined)).items()}
        except Exception as error:  # as in TensorFlow Serving, all requests of the batch fail
            for _, future in batch:
                future.set_exception(error)
            return
        start = 0
        for request, (_, future) in zip(requests, batch, strict=True):
            end = start + len(request["lengths"])
            future.set_result({key: value[start:end] for key, value in outputs.items()})
            start = end


def pad(array: np.ndarray, longest: np.ndarray) -> np.ndarray:
    """Pad an array [rows, …] with zeros at the ends, to the sizes `longest`."""
    more = longest - array.shape[1:]
    return np.pad(array, [(0, 0), *((0, int(n)) for n in more)])


def map_tensors(arrays: dict[str, np.ndarray]) -> dict[str, tf.Tensor]:
    return {key: tf.constant(array) for key, array in arrays.items()}


class Models:
    """The models of a folder, which are loaded at the start."""

    def __init__(self, folder: Path, batch: int = 1, timeout: float = 0.0) -> None:
        # Files beside the folders are ONNX models (`asr export --format onnx`).
        self.servables = {
            p.name: Servable(p, batch, timeout) for p in folder.iterdir() if p.is_dir()
        }

    def find(self, name: str, version: int | None = None) -> Servable:
        servable = self.servables.get(name)
        if servable is None or version not in (None, servable.version):
            at = "Latest" if version is None else "Specific"
            raise Refused("NOT_FOUND", f"Servable not found for request: {at}({name})")
        return servable


class Rest(BaseHTTPRequestHandler):
    """`/v1/models/NAME[/versions/N]`, its `/metadata` and `:predict`."""

    protocol_version = "HTTP/1.1"
    models: Models

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, respond: Any) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            status, values = 200, respond(body)
        except Refused as refused:
            status, values = HTTP[refused.code], {"error": refused.reason}
        data = json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _find(self, pattern: str) -> Servable:
        found = re.fullmatch(rf"/v1/models/([^/:]+)(?:/versions/(\d+))?{pattern}", self.path)
        if found is None:
            raise Refused("NOT_FOUND", f"Malformed request: {self.command} {self.path}")
        return self.models.find(found[1], None if found[2] is None else int(found[2]))

    def _get(self, body: bytes) -> Any:
        if self.path.endswith("/metadata"):
            servable = self._find("/metadata")
            return {"metadata": {"signature_def": as_json(signature_map(servable))}}
        status = {"error_code": "OK", "error_message": ""}
        version = str(self._find("").version)
        return {
            "model_version_status": [{"version": version, "state": "AVAILABLE", "status": status}]
        }

    def _post(self, body: bytes) -> Any:
        servable = self._find(":predict")
        try:
            request = json.loads(body)
            signature, inputs = request.get("signature_name", ""), request["inputs"]
        except (ValueError, KeyError, AttributeError) as error:
            raise Refused("INVALID_ARGUMENT", f"JSON Parse error: {error!r}") from None
        if not isinstance(inputs, dict):
            raise Refused("INVALID_ARGUMENT", "inputs: an object is needed")
        return {"outputs": {k: plain(v) for k, v in servable.predict(signature, inputs).items()}}

    def log_message(self, format: str, *args: Any) -> None:
        pass


def plain(value: np.ndarray) -> Any:
    if value.dtype == object:
        return [text.decode() for text in value.ravel()]
    return value.tolist()


def signature_map(servable: Servable) -> get_model_metadata_pb2.SignatureDefMap:
    return get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)


def as_json(message: Any) -> Any:
    return MessageToDict(message, preserving_proto_field_name=True)


class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, models: Models) -> None:
        self.models = models

    def Predict(self, request: Any, context: Any) -> Any:
        spec = request.model_spec
        try:
            servable = find(self.models, spec)
            try:
                inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
            except (ValueError, TypeError) as error:
                raise Refused("INVALID_ARGUMENT", str(error)) from None
            outputs = servable.predict(spec.signature_name, inputs)
        except Refused as refused:
            context.abort(grpc.StatusCode[refused.code], refused.reason)
        made = {key: tf.make_tensor_proto(value) for key, value in outputs.items()}
        return predict_pb2.PredictResponse(model_spec=spec, outputs=made)

    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        try:
            servable = find(self.models, request.model_spec)
        except Refused as refused:
            context.abort(grpc.StatusCode[refused.code], refused.reason)
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
        response.metadata["signature_def"].Pack(signature_map(servable))
        return response


class Statuses(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, models: Models) -> None:
        self.models = models

    def GetModelStatus(self, request: Any, context: Any) -> Any:
        try:
            servable = find(self.models, request.model_spec)
        except Refused as refused:
            context.abort(grpc.StatusCode[refused.code], refused.reason)
        status = get_model_status_pb2.ModelVersionStatus(
            version=servable.version, state="AVAILABLE"
        )
        return get_model_status_pb2.GetModelStatusResponse(model_version_status=[status])


def find(models: Models, spec: Any) -> Servable:
    return models.find(spec.name, spec.version.value if spec.HasField("version") else None)


def serve(models: Models, threads: int = 16) -> tuple[ThreadingHTTPServer, grpc.Server, int, int]:
    """Start both servers; returns them and the ports of REST and gRPC."""
    rest = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Rest,), {"models": models}))
    rest.daemon_threads = True
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    options = [("grpc.max_receive_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(threads), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Predictions(models), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Statuses(models), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return rest, server, rest.server_port, port


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch", type=int, default=1, help="rows; 1: no batching")
    parser.add_argument(
        "--timeout", type=float, default=0.005, help="longest wait of a batch in seconds"
    )
    a = parser.parse_args()
    _, _, rest, port = serve(Models(a.folder, a.batch, a.timeout))
    print(json.dumps({"rest": rest, "grpc": port}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
