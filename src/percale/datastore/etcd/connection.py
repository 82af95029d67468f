# SPDX-License-Identifier: Apache-2.0
"""Calls to a cluster of etcd servers: one channel per endpoint, failover, bounded retries, tokens.

A read is repeated when a server fails. A write is repeated only where it surely was not executed, because etcd
may have done it although its answer was lost; then StoreUnavailable says so and the caller looks again.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import grpc

from percale.datastore.etcd.messages import METHODS, message
from percale.datastore.etcd.settings import EtcdSettings
from percale.datastore.pauses import pause
from percale.errors import Refused, StoreUnavailable, Unauthorized

__all__ = ["EtcdConnection"]

_ATTEMPTS = 4
_PATIENCE = 2
"""How many times as long as an endpoint a call may take: the first has its full time, all others share as much."""
_LEAST = 0.1
"""The least part of its full time that an endpoint gets."""
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.enable_retries", 0),
    ("grpc.max_reconnect_backoff_ms", 2_000),  # of its own accord gRPC waits up to two minutes before it looks again
    ("grpc.use_local_subchannel_pool", 1),
)
_STREAMS = frozenset({"Watch", "LeaseKeepAlive"})
_REPEATABLE = frozenset({"Range", "Status", "Authenticate", "LeaseKeepAlive"})
# gRPC says so when no connection could be made, etcd when it has not even proposed the change.
_NEVER_SENT = ("failed to connect", "dns resolution failed", "no address")
_NEVER_PROPOSED = ("too many requests", "not capable", "no leader")
_STALE_TOKEN = ("invalid auth token", "auth store is old")
_UNTRUSTED = ("certificate_verify_failed", "certificate verify failed", "hostname verification", "peer certificate")
_REJECTED = ("tsi_data_corrupted", "bad_certificate", "certificate_required", "unknown_ca")
"""How gRPC tells that the server ended the connection after the handshake, as TLS 1.3 does with a bad certificate."""
_SILENCE = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
    }
)
_LEADER_NEEDED = ("hasleader", "true")
"""A server that has lost the others says so at once, on streams too, instead of keeping us waiting."""


class EtcdConnection:
    """A set of channels of which one is in use; ``retries`` counts the repeated calls and streams."""

    def __init__(self, settings: EtcdSettings) -> None:
        self._settings = settings
        self._channels = [_channel(endpoint, settings) for endpoint in settings.endpoints]
        self._current = 0
        self._lock = threading.Lock()
        self._token = ""
        self.retries = 0

    @property
    def authenticates(self) -> bool:
        """Whether calls carry a token."""
        return self._settings.authenticates

    @property
    def endpoints(self) -> int:
        """How many endpoints there are."""
        return len(self._channels)

    @property
    def current(self) -> int:
        """The number of the endpoint in use."""
        return self._current

    def call(self, method: str, request: Any) -> Any:
        """Do a call and return its answer; raises grpc.RpcError for what etcd itself refuses, StoreUnavailable else."""
        most = _ATTEMPTS * len(self._channels)
        first, end = self._current, time.monotonic() + _PATIENCE * self._settings.timeout_s
        for attempt in range(most):
            current, doing = self._current, "Authenticate"
            until = self._until(attempt, end)
            try:
                metadata = self._metadata(until)
                doing = method
                return self._exchange(method, request, metadata, until)
            except grpc.RpcError as error:
                again = self._may_repeat(doing, error, current, attempt)  # it leaves the endpoint as well
                if not again or attempt == most - 1 or time.monotonic() >= end:
                    if attempt and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                        # Those behind the first had little time; one after the other gets it all in the calls to come.
                        self._current = (first + 1) % len(self._channels)
                    raise self._translated(doing, error) from error
            self.count_retry()
            if attempt >= len(self._channels) - 1:
                time.sleep(max(0.0, min(pause(attempt - len(self._channels) + 1), end - time.monotonic())))
        raise AssertionError("unreachable")

    def begin(self, method: str, request: Any) -> Callable[[], Any]:
        """Send a call that may be repeated, and return what waits for its answer; one that fails is done as `call`."""
        anew = partial(self.call, method, request)
        try:
            metadata = self._metadata(self._until())
            future = self._stub(method).future(request, timeout=self._settings.timeout_s, metadata=metadata)
        except grpc.RpcError:
            return anew

        def answer() -> Any:
            try:
                return future.result()
            except grpc.RpcError:
                self.count_retry()
                return anew()

        return answer

    def stream(self, method: str, requests: Iterator[Any]) -> Any:
        """Open a stream and return the call: an iterator of answers with ``cancel()``."""
        return self._stub(method)(requests, metadata=self._metadata(self._until()))

    def check(self) -> None:
        """Raise grpc.RpcError unless the endpoint in use answers in time; a stream would wait for that without end."""
        try:
            self._exchange("Status", message("StatusRequest")(), (), self._until())
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
                raise

    def fail_over(self, failed: int | None = None) -> None:
        """Use the next endpoint from now on, unless another thread has already left the failed one."""
        with self._lock:
            if failed is None or failed == self._current:
                self._current = (self._current + 1) % len(self._channels)

    def count_retry(self) -> None:
        """Add one to ``retries``."""
        with self._lock:
            self.retries += 1

    def forget_token(self) -> None:
        """Authenticate again before the next call."""
        self._token = ""

    def unavailable(self, details: str, what: str = "") -> StoreUnavailable:
        """Return the error for an etcd that cannot be used, in one sentence."""
        where = ", ".join(self._settings.endpoints)
        hint = f"; {what}" if what else ""
        if any(text in details.lower() for text in _UNTRUSTED):
            return StoreUnavailable(
                f"the certificate of etcd at {where} is not accepted: its authority or its name is not as expected "
                f"({_reason(details)}); check the CA certificate and the endpoint{hint}"
            )
        if any(text in details.lower() for text in _REJECTED):
            return StoreUnavailable(
                f"etcd at {where} does not accept this client: it ended the encrypted connection ({details}); "
                f"check the client certificate and its key{hint}"
            )
        return StoreUnavailable(f"etcd at {where} does not answer: {details}{hint}")

    def close(self) -> None:
        """Close all channels."""
        for channel in self._channels:
            channel.close()

    def _stub(self, method: str) -> Any:
        service, request, response = METHODS[method]
        channel = self._channels[self._current]
        kind = channel.stream_stream if method in _STREAMS else channel.unary_unary
        return kind(
            f"/etcdserverpb.{service}/{method}",
            request_serializer=message(request).SerializeToString,
            response_deserializer=message(response).FromString,
        )

    def _until(self, attempt: int = 0, end: float = math.inf) -> float:
        """Return when an attempt must have come to something, if all of them end then."""
        now = time.monotonic()
        others = max(1, len(self._channels) - attempt) if attempt else 1
        return now + min(self._settings.timeout_s, (end - now) / others)

    def _exchange(self, method: str, request: Any, metadata: tuple[tuple[str, str], ...], until: float) -> Any:
        timeout_s = max(until - time.monotonic(), _LEAST * self._settings.timeout_s)
        if method not in _STREAMS:
            return self._stub(method)(request, timeout=timeout_s, metadata=metadata)
        call = self._stub(method)(iter([request]), timeout=timeout_s, metadata=metadata)
        try:
            return next(call)
        except StopIteration:
            raise self.unavailable("no answer came") from None
        finally:
            call.cancel()

    def _metadata(self, until: float) -> tuple[tuple[str, str], ...]:
        if not self._settings.authenticates:
            return (_LEADER_NEEDED,)
        token = self._token
        if not token:
            request = message("AuthenticateRequest")(name=self._settings.username, password=self._settings.password)
            answer = self._exchange("Authenticate", request, (_LEADER_NEEDED,), until)
            token = self._token = str(answer.token)
        return (_LEADER_NEEDED, ("token", token))

    def _may_repeat(self, method: str, error: grpc.RpcError, failed: int, attempt: int) -> bool:
        code, details = error.code(), (error.details() or "").lower()
        if self.authenticates and method != "Authenticate" and any(text in details for text in _STALE_TOKEN):
            self.forget_token()
            return True
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            # Silence lasts as long as a call may, so each endpoint gets one chance.
            self.fail_over(failed)
            return method in _REPEATABLE and attempt < len(self._channels) - 1
        if code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED):
            return False
        unsent = any(text in details for text in _NEVER_SENT + _NEVER_PROPOSED)
        if code is grpc.StatusCode.UNAVAILABLE:
            self.fail_over(failed)
        if any(text in details for text in _UNTRUSTED + _REJECTED):
            return attempt < len(self._channels) - 1
        return unsent or (method in _REPEATABLE and code is grpc.StatusCode.UNAVAILABLE)

    def _translated(self, method: str, error: Any) -> Exception:
        code, details = error.code(), error.details() or ""
        refusals = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
        if code in refusals or re.search(r"\bauth(entication)?\b|user name is empty", details):
            return Unauthorized(details)
        if code in _SILENCE:
            unsent = any(text in details.lower() for text in _NEVER_SENT + _NEVER_PROPOSED)
            unknown = method not in _REPEATABLE and not unsent
            return self.unavailable(details, "whether the change was made is not known" if unknown else "")
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "space exceeded" in details:
            # etcd applies the write that crosses its quota and answers with the error all the same.
            return StoreUnavailable(
                f"etcd at {', '.join(self._settings.endpoints)} has no space left and takes no writes (NOSPACE alarm): "
                "compact its history, defragment each member, then disarm the alarm; "
                "whether the change was made is not known"
            )
        assert isinstance(error, Exception)
        return error


def _reason(details: str) -> str:
    """Return the part of gRPC's long story of a handshake that says why."""
    parts = [part.strip() for part in re.split(r"[;:]", details) if any(text in part.lower() for text in _UNTRUSTED)]
    return parts[-1] if parts else details


def _channel(endpoint: str, settings: EtcdSettings) -> Any:
    url = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    if url.scheme not in ("http", "https") or not url.netloc:
        raise Refused(f"{endpoint!r} is not the URL of an etcd server")
    if url.scheme == "http":
        return grpc.insecure_channel(url.netloc, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        settings.ca_certificate or None, settings.key or None, settings.certificate or None
    )
    return grpc.secure_channel(url.netloc, credentials, options=_OPTIONS)
