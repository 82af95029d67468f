# SPDX-License-Identifier: Apache-2.0
"""What a command does not import, and that whoever wants it gets it all the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

GRPC = "from percale.cli.lean import import_grpc; import_grpc(); import sys, grpc\n"
MSGSPEC = "from percale.cli.lean import import_msgspec; import_msgspec(); import sys, msgspec\n"


def python(program):
    """Run a program in an interpreter of its own and return what it printed."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("first", "modules"),
    [
        (GRPC, ["asyncio", "inspect", "socket", "traceback", "grpc.aio", "google.protobuf.internal.python_message"]),
        (MSGSPEC, ["typing_extensions", "platform", "textwrap", "ipaddress", "msgspec.inspect"]),
    ],
)
def test_not_imported(first, modules):
    """A command does without these, and no stand-in is left where others would find it."""
    assert python(f"{first}print([name for name in {modules} if name in sys.modules])") == "[]"


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        (f"{GRPC}import asyncio; print(asyncio.run(asyncio.sleep(0, 'done')))", "done"),
        (f"{GRPC}from grpc.aio import insecure_channel; print(insecure_channel.__name__)", "insecure_channel"),
        (f"{GRPC}print(grpc.aio.insecure_channel.__module__)", "grpc.aio._channel"),
        (f"{MSGSPEC}import platform; print(platform.system(), platform.node() != '')", "Linux True"),
        (
            f"{MSGSPEC}print(msgspec.inspect.type_info(int))",
            "IntType(gt=None, ge=None, lt=None, le=None, multiple_of=None)",
        ),
        (f"{MSGSPEC}print(msgspec.json.schema(int))", "{'type': 'integer'}"),
        (f"{GRPC}import logging; print(logging.traceback.format_exc())", "NoneType: None"),
        (f"{GRPC}import socket; print(socket.socket().family.name)", "AF_INET"),
        (f"{MSGSPEC}import urllib.parse; print(urllib.parse.urlsplit('http://[::1]:2379').port)", "2379"),
        (f"{MSGSPEC}import textwrap; print(textwrap.dedent('  a'))", "a"),
    ],
)
def test_there_when_wanted(program, printed):
    """Whoever imports or uses later what was left out gets the real thing."""
    assert python(program).endswith(printed)


def test_asynchronous_grpc_works():
    """The asynchronous half of gRPC makes a call although it was imported after the rest."""
    call = """
async def call():
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        try:
            await channel.unary_unary("/a/b")(b"", timeout=5)
        except grpc.aio.AioRpcError as error:
            print(error.code().name)
import asyncio
asyncio.run(call())
"""
    assert python(GRPC + call) == "UNAVAILABLE"


def test_imported_before():
    """What the program had already stays as it is."""
    assert python(f"import asyncio as mine\n{GRPC}import asyncio; print(asyncio is mine)") == "True"
