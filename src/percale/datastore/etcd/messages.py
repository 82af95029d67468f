# SPDX-License-Identifier: Apache-2.0
"""The messages of etcd's version 3 API, as far as we use them, made at run time without generated code.

Names and numbers are etcd's (api/etcdserverpb/rpc.proto, api/mvccpb/kv.proto). A line reads
``Message: field=number:type``; ``*`` marks a repeated field, ``|`` a member of the message's only union.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["METHODS", "message"]

_MESSAGES = """
KeyValue: key=1:bytes create_revision=2:int64 mod_revision=3:int64 version=4:int64 value=5:bytes lease=6:int64
Event: type=1:int32 kv=2:KeyValue prev_kv=3:KeyValue
ResponseHeader: cluster_id=1:uint64 member_id=2:uint64 revision=3:int64 raft_term=4:uint64
RangeRequest: key=1:bytes range_end=2:bytes limit=3:int64 revision=4:int64 serializable=7:bool keys_only=8:bool
RangeResponse: header=1:ResponseHeader kvs=2:*KeyValue more=3:bool count=4:int64
PutRequest: key=1:bytes value=2:bytes lease=3:int64
PutResponse: header=1:ResponseHeader
DeleteRangeRequest: key=1:bytes range_end=2:bytes prev_kv=3:bool
DeleteRangeResponse: header=1:ResponseHeader deleted=2:int64 prev_kvs=3:*KeyValue
Compare: result=1:int32 target=2:int32 key=3:bytes version=4:|int64 create_revision=5:|int64 mod_revision=6:|int64 value=7:|bytes
RequestOp: request_range=1:|RangeRequest request_put=2:|PutRequest request_delete_range=3:|DeleteRangeRequest request_txn=4:|TxnRequest
ResponseOp: response_range=1:|RangeResponse response_put=2:|PutResponse response_delete_range=3:|DeleteRangeResponse response_txn=4:|TxnResponse
TxnRequest: compare=1:*Compare success=2:*RequestOp failure=3:*RequestOp
TxnResponse: header=1:ResponseHeader succeeded=2:bool responses=3:*ResponseOp
CompactionRequest: revision=1:int64 physical=2:bool
CompactionResponse: header=1:ResponseHeader
WatchCreateRequest: key=1:bytes range_end=2:bytes start_revision=3:int64 progress_notify=4:bool prev_kv=6:bool watch_id=7:int64 fragment=8:bool
WatchCancelRequest: watch_id=1:int64
WatchProgressRequest:
WatchRequest: create_request=1:|WatchCreateRequest cancel_request=2:|WatchCancelRequest progress_request=3:|WatchProgressRequest
WatchResponse: header=1:ResponseHeader watch_id=2:int64 created=3:bool canceled=4:bool compact_revision=5:int64 cancel_reason=6:string fragment=7:bool events=11:*Event
LeaseGrantRequest: TTL=1:int64 ID=2:int64
LeaseGrantResponse: header=1:ResponseHeader ID=2:int64 TTL=3:int64 error=4:string
LeaseRevokeRequest: ID=1:int64
LeaseRevokeResponse: header=1:ResponseHeader
LeaseKeepAliveRequest: ID=1:int64
LeaseKeepAliveResponse: header=1:ResponseHeader ID=2:int64 TTL=3:int64
AuthenticateRequest: name=1:string password=2:string
AuthenticateResponse: header=1:ResponseHeader token=2:string
StatusRequest:
StatusResponse: header=1:ResponseHeader version=2:string dbSize=3:int64 leader=4:uint64
"""  # noqa: E501 - one message per line

METHODS = {
    "Range": ("KV", "RangeRequest", "RangeResponse"),
    "Txn": ("KV", "TxnRequest", "TxnResponse"),
    "Compact": ("KV", "CompactionRequest", "CompactionResponse"),
    "Watch": ("Watch", "WatchRequest", "WatchResponse"),
    "LeaseGrant": ("Lease", "LeaseGrantRequest", "LeaseGrantResponse"),
    "LeaseRevoke": ("Lease", "LeaseRevokeRequest", "LeaseRevokeResponse"),
    "LeaseKeepAlive": ("Lease", "LeaseKeepAliveRequest", "LeaseKeepAliveResponse"),
    "Authenticate": ("Auth", "AuthenticateRequest", "AuthenticateResponse"),
    "Status": ("Maintenance", "StatusRequest", "StatusResponse"),
}
"""Service, request and response of each method."""

_PACKAGE = "percale.etcd"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bytes": _Field.TYPE_BYTES,
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "uint64": _Field.TYPE_UINT64,
    "string": _Field.TYPE_STRING,
}


def message(name: str) -> Any:
    """Return the class of a message."""
    return _CLASSES[name]


def _add_message(file: Any, line: str) -> str:
    name, _, fields = line.partition(":")
    described = file.message_type.add(name=name)
    for text in fields.split():
        _add_field(described, *text.partition("=")[::2])
    return str(name)


def _add_field(described: Any, name: str, declaration: str) -> None:
    number, _, kind = declaration.partition(":")
    mark = kind[0] if kind[0] in "*|" else ""
    kind = kind.removeprefix(mark)
    field = described.field.add(name=name, number=int(number))
    field.label = _Field.LABEL_REPEATED if mark == "*" else _Field.LABEL_OPTIONAL
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    if mark == "|":
        if not described.oneof_decl:
            described.oneof_decl.add(name="union")
        field.oneof_index = 0


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="percale/etcd.proto", package=_PACKAGE, syntax="proto3")
    names = [_add_message(file, line) for line in _MESSAGES.strip().splitlines()]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in names}


_CLASSES = _classes()
