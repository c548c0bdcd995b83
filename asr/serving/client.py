"""Clients of TensorFlow Serving, by REST or gRPC, and a recogniser that uses them.

The server computes the network only. This process reads recordings, computes features, cuts windows
and decodes logits. Language models, words, times and formats are therefore the same as without a
server.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from asr.base.extras import install_extra
from asr.decoding.confidence import load_calibration
from asr.decoding.decoding_options import Decoding
from asr.decoding.pickled_recognizer import Origin
from asr.errors import ConfigError, ServerError
from asr.networks.model_directory import read_model
from asr.recognizer import Recognizer

T = TypeVar("T")

DEADLINE = 60.0
"""Time limit of one request in seconds; the network takes one or two per minute of audio."""
ATTEMPTS = 5
"""Attempts per request, if no server answers or the server is busy."""
BACK_OFF = 0.25
"""Longest wait before the second attempt, in seconds; it doubles for each further attempt.

Each wait is a random time between half of this and all of it, so that many clients do not return
at the same moment.
"""
URL = re.compile(
    r"(?P<scheme>https?|grpc)://(?P<host>[^/:]+|\[[^\]]+\])(:(?P<port>\d+))?"
    r"(/v1/models/(?P<name>[^/]+)(/versions/(?P<version>\d+))?)?/?"
)
PORTS = {"http": 8501, "https": 443, "grpc": 8500}
"""Default ports of TensorFlow Serving."""
ASSERTION = re.compile(r"assertion failed: \[([^\]]+)\]")
"""TensorFlow's error message after a failed check of a signature."""
BUSY = {429, 502, 503, 504}
"""HTTP statuses after which a request is tried again."""


class Busy(Exception):
    """No server answered, or the server is busy; the request is tried again."""


@dataclass(frozen=True)
class Address:
    """A model on a server: `http[s]` or `grpc`, `grpc://HOST[:PORT][/v1/models/NAME[/versions/N]]`."""

    scheme: str
    host: str
    port: int
    name: str
    version: int | None = None

    @classmethod
    def parse(cls, url: str, name: str) -> Address:
        """Parse a URL.

        Args:
            url: the URL, with or without port, model and version.
            name: name of the model if the URL has none.

        Raises:
            ConfigError: the URL does not have this form.
        """
        found = URL.fullmatch(url)
        if found is None:
            raise ConfigError(
                f"--server {url}: expected http://HOST:8501, https://HOST or grpc://HOST:8500, "
                "optionally followed by /v1/models/NAME"
            )
        scheme, version = found["scheme"], found["version"]
        return cls(
            scheme,
            found["host"].strip("[]"),
            int(found["port"] or PORTS[scheme]),
            found["name"] or name,
            None if version is None else int(version),
        )

    @property
    def path(self) -> str:
        """Path of the model in REST URLs."""
        version = "" if self.version is None else f"/versions/{self.version}"
        return f"/v1/models/{self.name}{version}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


class Client(Protocol):
    """A model on a server. Each thread needs a client of its own."""

    address: Address

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Call a signature.

        Args:
            signature: its name.
            inputs: arrays by name.

        Returns:
            Output arrays by name.

        Raises:
            ServerError: there is no server, no answer in time, or the server refuses the request.
        """

    def metadata(self) -> dict[str, Any]:
        """Signatures by name. Their inputs and outputs, by name, have a dtype and tensor_shape."""

    def status(self) -> dict[int, str]:
        """State of each version of the model, such as AVAILABLE or LOADING."""


class RestClient:
    """Client for TensorFlow Serving's REST protocol; it needs the standard library only.

    Args:
        address: the model on the server.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        kind = (
            http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = kind(address.host, address.port, timeout=DEADLINE)

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        plain = {name: short(array).tolist() for name, array in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": plain})
        outputs = self._request("POST", f"{self.address.path}:predict", body)["outputs"]
        if not isinstance(outputs, dict):
            raise ServerError(f"{self.address}: {signature} has one unnamed output")
        return {name: np.array(values) for name, values in outputs.items()}

    def metadata(self) -> dict[str, Any]:
        found = self._request("GET", f"{self.address.path}/metadata")
        return dict(found["metadata"]["signature_def"]["signature_def"])

    def status(self) -> dict[int, str]:
        found = self._request("GET", self.address.path)["model_version_status"]
        return {int(version["version"]): version["state"] for version in found}

    def _request(self, method: str, path: str, body: str | None = None) -> Any:
        def once() -> tuple[int, bytes]:
            try:
                self._connection.request(
                    method, path, body, {"Content-Type": "application/json"} if body else {}
                )
                response = self._connection.getresponse()
                status, data = response.status, response.read()
            except TimeoutError:
                self._connection.close()
                raise ServerError(f"{self.address}: no answer within {DEADLINE:.0f} s") from None
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise Busy(f"{error}" or type(error).__name__) from None
            if status in BUSY:
                raise Busy(f"HTTP {status}: {_body(data)}")
            return status, data

        status, data = _retry(self.address, once)
        if status != 200:
            raise ServerError(f"{self.address}: HTTP {status}: {_body(data)}")
        try:
            return json.loads(data)
        except ValueError:
            raise ServerError(f"{self.address}: the answer is not JSON") from None


class GrpcClient:
    """Client for TensorFlow Serving's gRPC protocol; its package imports TensorFlow.

    Args:
        address: the model on the server.

    Raises:
        ConfigError: the extra `serving` is not installed.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        try:
            import grpc
            from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc
        except ImportError:
            raise ConfigError(
                f"{address}: gRPC needs the extra serving ({install_extra('serving')}); "
                "http:// works without it"
            ) from None
        # The default limit of 4 MB is too small for the logits of a minute with many labels.
        unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        host = f"[{address.host}]" if ":" in address.host else address.host
        self._channel = grpc.insecure_channel(f"{host}:{address.port}", unlimited)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        from tensorflow_serving.apis import predict_pb2

        from asr.base.tensorflow import tf

        request = predict_pb2.PredictRequest(
            model_spec=self._spec(signature),
            inputs={name: tf.make_tensor_proto(array) for name, array in inputs.items()},
        )
        response = self._call(self._predictions.Predict, request)
        return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}

    def metadata(self) -> dict[str, Any]:
        from google.protobuf.json_format import MessageToDict
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec(), metadata_field=["signature_def"]
        )
        packed = self._call(self._predictions.GetModelMetadata, request).metadata["signature_def"]
        signatures = get_model_metadata_pb2.SignatureDefMap()
        packed.Unpack(signatures)
        found = MessageToDict(signatures, preserving_proto_field_name=True)
        return dict(found["signature_def"])

    def status(self) -> dict[int, str]:
        from tensorflow_serving.apis import get_model_status_pb2 as pb

        request = pb.GetModelStatusRequest(model_spec=self._spec())
        found = self._call(self._models.GetModelStatus, request).model_version_status
        return {v.version: pb.ModelVersionStatus.State.Name(v.state) for v in found}

    def _spec(self, signature: str = "") -> Any:
        from tensorflow_serving.apis import model_pb2

        spec = model_pb2.ModelSpec(name=self.address.name, signature_name=signature)
        if self.address.version is not None:
            spec.version.value = self.address.version
        return spec

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        import grpc

        def once() -> Any:
            try:
                return method(request, timeout=DEADLINE)
            except grpc.RpcError as error:
                code, text = error.code(), _reason(error.details() or "")
            if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED):
                raise Busy(f"{code.name}: {text}")
            if code == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise ServerError(f"{self.address}: no answer within {DEADLINE:.0f} s")
            raise ServerError(f"{self.address}: {code.name}: {text}")

        return _retry(self.address, once)


def connect(url: str, name: str) -> Client:
    """Create a client of a model; it sends nothing until it is used.

    Args:
        url: `http`, `https` or `grpc`, as in `grpc://HOST[:PORT][/v1/models/NAME[/versions/N]]`.
        name: name of the model if the URL has none.

    Raises:
        ConfigError: the URL does not have this form, or the extra `serving` for gRPC is missing.
    """
    address = Address.parse(url, name)
    return GrpcClient(address) if address.scheme == "grpc" else RestClient(address)


class RemoteRecognizer(Recognizer):
    """A recogniser whose network runs on a server."""

    network: RemoteNetwork

    @classmethod
    def connect(
        cls, url: str, model: str = "en-small", decoding: Decoding = Decoding()
    ) -> RemoteRecognizer:
        """Connect to a model on a server.

        Alphabet, features, calibration and language model come from the local model directory. Its
        weights are not read.

        Args:
            url: see `asr.serving.client.connect`.
            model: shipped name or directory of the recogniser that was exported to the server.
            decoding: how to decode.

        Raises:
            ModelError, ConfigError: see `Recognizer.load`.
            ServerError: there is no server, or it serves another model.
        """
        folder, config = read_model(model)
        lm = decoding.lm_file(folder)
        curve = load_calibration(folder, config.weights_sha256).curve(lm is not None)
        network = RemoteNetwork(connect(url, config.name))
        recognizer = cls(config, network, decoding, curve, folder)
        network.check(config.features.dimension, recognizer.heads.size)
        recognizer.origin = Origin(cls.connect, {"url": url})
        return recognizer

    def warm_up(self) -> None:
        """Do nothing: the server warms up when it loads a model."""


class RemoteNetwork:
    """Computes logits by the signature `normalised` of a server.

    The client normalises the features, because a window is normalised together with the audio
    before it, which the server does not have.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    def check(self, dimension: int, labels: int) -> None:
        """Check that the server's model has the right shape.

        Args:
            dimension: size of a feature frame.
            labels: size of the logits of a frame.

        Raises:
            ServerError: the signature `normalised` is missing or has another shape.
        """
        address = self.client.address
        signatures = self.client.metadata()
        try:
            signature = signatures["normalised"]
            found = [
                int(tensor["tensor_shape"]["dim"][-1]["size"])
                for tensor in (signature["inputs"]["features"], signature["outputs"]["logits"])
            ]
        except (KeyError, IndexError):
            raise ServerError(
                f"{address}: no signature normalised with the output logits, as asr export "
                f"writes it; found {', '.join(sorted(signatures)) or 'no signature'}"
            ) from None
        if found != [dimension, labels]:
            raise ServerError(
                f"{address}: the served model has {found[0]} features and {found[1]} labels, the "
                f"local one {dimension} and {labels}: give the exported model with --model"
            )

    def logits(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """See `Network`."""
        found = self.client.predict("normalised", {"features": features, "lengths": lengths})
        return np.asarray(found["logits"], np.float32)


def _retry(address: Address, once: Callable[[], T]) -> T:
    """Call `once` until it raises no `Busy`, with growing random waits between the attempts.

    Both protocols share this loop. urllib3's Retry would serve REST only. It also retries without
    a wait after the first failure, and treats a connection that times out like a refused one,
    while this client must not wait for a second deadline.
    """
    reason: object = None
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(BACK_OFF * 2 ** (attempt - 1) * random.uniform(0.5, 1))
        try:
            return once()
        except Busy as error:
            reason = error
    raise ServerError(f"{address}: no answer in {ATTEMPTS} attempts: {reason}")


def short(values: np.ndarray) -> np.ndarray:
    """Round float32 values to nine significant digits, as float64.

    Nine digits identify every float32. Without rounding, JSON would have up to seventeen digits
    per number, and REST spends most of its time on digits. Other types are returned as they are.
    """
    if values.dtype != np.float32:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        wide = values.astype(np.float64)
        shift = 8 - np.floor(np.log10(np.abs(wide)))
        rounded = np.rint(wide * 10.0**shift) / 10.0**shift
    return np.where(np.isfinite(rounded), rounded, wide)


def _body(data: bytes) -> str:
    """The reason in a REST server's error response."""
    text = data.decode(errors="replace")
    with suppress(ValueError, KeyError, TypeError):
        text = str(json.loads(text)["error"])
    return _reason(text)


def _reason(text: str) -> str:
    """The reason in TensorFlow's error message, without the place in the graph."""
    if found := ASSERTION.search(text):
        return found[1].strip(" .")
    return " ".join(text.split())[:300] or "without a reason"
