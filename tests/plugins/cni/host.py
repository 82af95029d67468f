# SPDX-License-Identifier: Apache-2.0
"""A host with a datastore, an agent that answers the plugins, and installed executables, as a runtime meets it."""

import json
import os
import subprocess
import time

from tests.plugins.agent import Agent

from percale.datastore.calico import CalicoDatastore
from percale.datastore.sqlite import SQLiteKeyValue
from percale.ipam import Ipam
from percale.netlink import namespace
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.plugins.cni.install import install
from percale.plugins.cni.service import CniService
from percale.plugins.protocol import Request

RESOURCES = "/calico/resources/v3/projectcalico.org/"
CONF = {"cniVersion": "1.0.0", "name": "net1", "type": "percale", "ipam": {"type": "calico-ipam"}}


class Host:
    """One node in the network namespace of the thread that makes it; ``wait`` stands for the agent's loop."""

    def __init__(self, folder, *, node="node-a", wait=None, names=("percale", "percale-ipam")):
        self.folder = folder
        self.node = node
        self.store = SQLiteKeyValue(folder / "percale.db")
        self.datastore = CalicoDatastore(self.store)
        self.datastore.initialise()
        self.ipam = Ipam(self.store)
        self.service = CniService(self.datastore, self.ipam, node=node, wait_programmed=wait, mtu_file=folder / "mtu")
        self.put("Node", "nodes", node, {})
        self.plugins = folder / "plugins"
        self._names = names
        self._agent = None

    # The datastore

    def put(self, kind, plural, name, spec):
        value = {"kind": kind, "apiVersion": "projectcalico.org/v3", "metadata": {"name": name}, "spec": spec}
        self.store.put(f"{RESOURCES}{plural}/{name}", json.dumps(value).encode())

    def pool(self, name, cidr, block_size=0, **more):
        self.put("IPPool", "ippools", name, {"cidr": cidr, "blockSize": block_size} | more)

    def endpoints(self):
        return list(self.datastore.list("WorkloadEndpoint").items)

    def held(self):
        """Every handle with its addresses."""
        found = {}
        for block in self.ipam.blocks():
            for item in block.attributes:
                found[item.handle] = found.get(item.handle, []) + list(map(str, block.addresses_of(item.handle)))
        return found

    # The kernel

    def links(self):
        with RouteSocket() as routes:
            return {link.name: link for link in routes.links()}

    # Calls

    def environment(self, command, container="cid0123456789abcdef", interface="eth0", netns="", args=""):
        variables = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container,
            "CNI_IFNAME": interface,
            "CNI_NETNS": netns,
            "CNI_PATH": str(self.plugins),
            "CNI_ARGS": args,
        }
        return {name: value for name, value in variables.items() if value}

    def call(self, command, *, container_ns=None, conf=None, timeout_s=30, plugin="percale", **more):
        """Call the service without a stub and return the exit status and the decoded answer."""
        netns = path_of(container_ns) if container_ns is not None else ""
        fields = self.environment(command, netns=netns, **more) | {"plugin": plugin}
        descriptors = () if container_ns is None else (container_ns,)
        text = json.dumps(CONF if conf is None else conf).encode()
        response = self.service.handle(Request("cni", fields, text, descriptors, time.monotonic() + timeout_s))
        return response.status, json.loads(response.payload) if response.payload else None

    def start_agent(self, answer=None):
        """Listen for stubs, and install these where the runtime looks."""
        socket = self.folder / "agent.sock"
        install(self.plugins, self._names, socket=socket)
        self._agent = Agent(socket, answer or self.service.handle)
        return self._agent

    def execute(self, environment, text, *, plugin="percale"):
        """Run an installed executable as a runtime does and return the finished process."""
        return subprocess.run(
            [self.plugins / plugin], input=text, env=environment, capture_output=True, timeout=60, check=False
        )

    def close(self):
        if self._agent is not None:
            self._agent.close()
        self.datastore.close()


def path_of(descriptor):
    """A path that other processes can open a namespace by."""
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def inside(container_ns, action):
    """What an action returns inside a container's namespace."""
    return namespace.in_namespace(container_ns, action)
