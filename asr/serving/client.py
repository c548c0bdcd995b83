"""Recognition by a server: TensorFlow Serving, or anything that speaks its REST or gRPC.

Only the network is there. Recordings are read, turned into cepstra and cut here, and logits are
decoded here, so language models, words, times and formats are those of a local recogniser.
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

from asr.decoding.confidence import load_calibration
from asr.decoding.decoder import Decoding
from asr.errors import ConfigError, ServerError
from asr.networks.model_directory import read_model
from asr.recognizer import Recognizer

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds for one request: a minute of audio takes a second or two."""
ATTEMPTS = 5
"""Of a request that finds no server, or a busy one."""
BACK_OFF = 0.25
"""Seconds before the second attempt, doubled for each further one, of which a random part is
waited, so that many clients do not come back at once."""
URL = re.compile(
    r"(?P<scheme>https?|grpc)://(?P<host>[^/:]+|\[[^\]]+\])(:(?P<port>\d+))?"
    r"(/v1/models/(?P<name>[^/]+)(/versions/(?P<version>\d+))?)?/?"
)
PORTS = {"http": 8501, "https": 443, "grpc": 8500}
"""Where TensorFlow Serving listens, unless it is told otherwise."""
ASSERTION = re.compile(r"assertion failed: \[([^\]]+)\]")
"""How TensorFlow words what a signature's checks find."""
BUSY = {429, 502, 503, 504}
"""HTTP statuses that may be better in a moment."""


class Busy(Exception):
    """No answer now, but perhaps in a moment."""


@dataclass(frozen=True)
class Address:
    """A model on a server: http, https or grpc://HOST[:PORT][/v1/models/NAME[/versions/N]]."""

    scheme: str
    host: str
    port: int
    name: str
    version: int | None = None

    @classmethod
    def parse(cls, url: str, name: str) -> Address:
        """Of a URL; `name` is the model's, if the URL has none.

        Raises:
            ConfigError: it is no such URL.
        """
        found = URL.fullmatch(url)
        if found is None:
            raise ConfigError(
                f"--server {url}: expected http://HOST:8501, https://… or grpc://HOST:8500, "
                "perhaps with /v1/models/NAME behind it"
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
        version = "" if self.version is None else f"/versions/{self.version}"
        return f"/v1/models/{self.name}{version}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


class Client(Protocol):
    """A model on a server, by one of the protocols. For one thread."""

    address: Address

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Call a signature: arrays by name → arrays by name.

        Raises:
            ServerError: no server, no answer in time, or one that says what was wrong.
        """

    def metadata(self) -> dict[str, Any]:
        """Signatures by name: inputs and outputs by name, each with dtype and tensor_shape."""

    def status(self) -> dict[int, str]:
        """State of each version, such as AVAILABLE or LOADING."""


class RestClient:
    """TensorFlow Serving's REST, by the standard library: nothing else is imported."""

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
            raise ServerError(f"{self.address}: {signature} has one output, several are expected")
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
            raise ServerError(f"{self.address}: its answer is not JSON") from None


class GrpcClient:
    """TensorFlow Serving's gRPC; its protocol's package needs TensorFlow.

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
                f"{address}: gRPC needs the extra serving (pip install 'asr[serving]'); "
                "http:// does without"
            ) from None
        # The default of 4 MB is less than the logits of a minute with many labels.
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
    """A client of a model; nothing is sent yet.

    Args:
        url: http, https or grpc://HOST[:PORT][/v1/models/NAME[/versions/N]].
        name: of the model, if the URL has none.

    Raises:
        ConfigError: no such URL, or gRPC without the extra `serving`.
    """
    address = Address.parse(url, name)
    return GrpcClient(address) if address.scheme == "grpc" else RestClient(address)


class RemoteRecognizer(Recognizer):
    """A recogniser whose network is on a server: features go there, logits come back."""

    network: RemoteNetwork

    @classmethod
    def connect(
        cls, url: str, model: str = "en-small", decoding: Decoding = Decoding()
    ) -> RemoteRecognizer:
        """Find a model on a server; alphabet, features, calibration and language model are those of
        the model directory here, whose weights are not read.

        Args:
            url, decoding: see `connect` and `Recognizer.load`.
            model: shipped name or directory of what was exported to the server.

        Raises:
            ModelError, ConfigError: see `Recognizer.load`.
            ServerError: there is no server, or it serves something else.
        """
        folder, config = read_model(model)
        curve = load_calibration(folder, config.weights_sha256).curve(decoding.lm is not None)
        network = RemoteNetwork(connect(url, config.name))
        recognizer = cls(config, network, decoding, curve, folder)
        labels = config.acoustic.heads(len(recognizer.tokenizer))
        network.check(config.features.dimension, sum(labels.values()))
        return recognizer

    def warm_up(self) -> None:
        """Nothing: a server warms up when it loads."""


class RemoteNetwork:
    """Features → logits by the signature `normalised`: what a window's features are normalised by
    depends on what was heard before, which a server does not know."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def check(self, dimension: int, labels: int) -> None:
        """Raise a `ServerError` unless the server has this model, or one of the same shape."""
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
                f"{address}: it has no signature normalised → logits, as asr export writes it; "
                f"it has {', '.join(sorted(signatures)) or 'none'}"
            ) from None
        if found != [dimension, labels]:
            raise ServerError(
                f"{address}: it makes {found[1]} labels of {found[0]} features, the model here "
                f"{labels} of {dimension}: give what was exported with --model"
            )

    def logits(self, features: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """See `Network`."""
        found = self.client.predict("normalised", {"features": features, "lengths": lengths})
        return np.asarray(found["logits"], np.float32)


def _retry(address: Address, once: Callable[[], T]) -> T:
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
    """Float32 as the nearest numbers of nine digits, which Python writes as such.

    Nine are enough to tell it from every other float32. Widened as it is, it would be written with
    up to seventeen, and most of what REST costs is writing and reading digits.
    """
    if values.dtype != np.float32:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        wide = values.astype(np.float64)
        shift = 8 - np.floor(np.log10(np.abs(wide)))
        rounded = np.rint(wide * 10.0**shift) / 10.0**shift
    return np.where(np.isfinite(rounded), rounded, wide)


def _body(data: bytes) -> str:
    """What a REST server says is wrong."""
    text = data.decode(errors="replace")
    with suppress(ValueError, KeyError, TypeError):
        text = str(json.loads(text)["error"])
    return _reason(text)


def _reason(text: str) -> str:
    """What is wrong, without where in the graph that was found."""
    if found := ASSERTION.search(text):
        return found[1].strip(" .")
    return " ".join(text.split())[:300] or "without a reason"
