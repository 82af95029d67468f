# SPDX-License-Identifier: Apache-2.0
"""KubeControllersConfiguration: settings of Calico's controllers (spec/resources.md section 14)."""

from __future__ import annotations

import msgspec

from percale.resources.fields import Duration, Int32, Int64
from percale.resources.resource import Resource
from percale.resources.value import Canonical, Value, written

__all__ = [
    "AutoHostEndpointConfig",
    "ControllersConfig",
    "HostEndpointTemplate",
    "KubeControllersConfiguration",
    "KubeControllersConfigurationSpec",
    "KubeControllersConfigurationStatus",
    "LoadBalancerControllerConfig",
    "MigrationControllerConfig",
    "NodeControllerConfig",
    "ReconcilerConfig",
]


class HostEndpointTemplate(Value, frozen=True, kw_only=True):
    """What a host endpoint that is made automatically looks like, and for which interfaces."""

    generate_name: str = ""  #: The part of the endpoints' names that tells this template from others.
    #: Networks: a node's addresses within them become the expected addresses of its endpoint.
    interface_cidrs: tuple[str, ...] = ()
    interface_pattern: str = ""  #: A regular expression for the names of the interfaces that get an endpoint.
    #: Labels of the endpoints, besides those of their nodes.
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)  #: Annotations of the endpoints.
    node_selector: str = ""  #: The nodes that get an endpoint from this template, by their labels.


class AutoHostEndpointConfig(Value, frozen=True, kw_only=True):
    """Whether and which host endpoints are made for each node."""

    auto_create: str = ""  #: Whether host endpoints are made for every node: Enabled or Disabled, the default.
    #: Whether every node gets an endpoint for all its interfaces (*): Enabled, the default, or Disabled; needs
    #: autoCreate.
    create_default_host_endpoint: str = ""
    templates: tuple[HostEndpointTemplate, ...] = ()  #: Further endpoints that nodes get; needs autoCreate.


class NodeControllerConfig(Canonical, frozen=True, kw_only=True):
    """The controller that follows the cluster's nodes."""

    #: The time between full comparisons with the datastore; 5 minutes unless given.
    reconciler_period: Duration | None = None
    #: Whether labels of Kubernetes' nodes are copied to Calico's: Enabled, the default, or Disabled.
    sync_labels: str = ""
    host_endpoint: AutoHostEndpointConfig | None = None  #: Which host endpoints are made for nodes by themselves.
    #: How long an address may seem to belong to nobody before it is released; 15 minutes unless given, 0 is never.
    leak_grace_period: Duration | None = None


class ReconcilerConfig(Canonical, frozen=True, kw_only=True):
    """A controller of which only the period of its full comparison can be set."""

    #: The time between full comparisons with the datastore; 5 minutes unless given.
    reconciler_period: Duration | None = None


class LoadBalancerControllerConfig(Value, frozen=True, kw_only=True):
    """The controller that gives addresses to services: ``AllServices`` or ``RequestedServicesOnly``."""

    #: Which services of type LoadBalancer get an address: AllServices, the default, or only RequestedServicesOnly,
    #: those that ask for one.
    assign_ips: str = ""


class MigrationControllerConfig(Value, frozen=True, kw_only=True):
    """The controller that renames policies of older releases."""

    #: Whether policies get the names that current releases use: Enabled, the default, or Disabled.
    policy_name_migrator: str = ""


class ControllersConfig(Value, frozen=True, kw_only=True):
    """The controllers that run; one that is absent does not."""

    #: The controller that follows the cluster's nodes and releases addresses that leaked.
    node: NodeControllerConfig | None = None
    #: The controller that copies Kubernetes' network policies to an etcd datastore.
    policy: ReconcilerConfig | None = None
    #: The controller that copies the labels of pods to their endpoints in an etcd datastore.
    workload_endpoint: ReconcilerConfig | None = None
    #: The controller that makes a profile for each service account in an etcd datastore.
    service_account: ReconcilerConfig | None = None
    #: The controller that makes a profile for each namespace in an etcd datastore.
    namespace: ReconcilerConfig | None = None
    #: The controller that gives addresses to services of type LoadBalancer.
    load_balancer: LoadBalancerControllerConfig | None = None
    #: The controller that brings stored policies into the form of current releases.
    migration: MigrationControllerConfig | None = None


class KubeControllersConfigurationSpec(Canonical, frozen=True, kw_only=True):
    """Logging, health, metrics, and the controllers."""

    log_severity_screen: str = ""  #: The least severe messages that the controllers log; Info unless given.
    health_checks: str = ""  #: Whether the controllers report their health: Enabled, the default, or Disabled.
    #: The time between compactions of an etcd datastore; 10 minutes unless given, 0 is never.
    etcd_v3_compaction_period: Duration | None = None
    #: The TCP port of the controllers' metrics; 9094 unless given, 0 is none.
    prometheus_metrics_port: Int64 | None = None
    #: The controllers that run, each with its settings; one that is absent does not run.
    controllers: ControllersConfig = written(ControllersConfig)
    debug_profile_port: Int32 | None = None  #: The TCP port of the controllers' profiler; none unless given.


class KubeControllersConfigurationStatus(Value, frozen=True, kw_only=True):
    """What the running controllers report."""

    #: The settings that the controllers run with, from this configuration and from their environment.
    running_config: KubeControllersConfigurationSpec | None = None
    #: The environment variables that go before this configuration.
    environment_vars: dict[str, str] = msgspec.field(default_factory=dict)


class KubeControllersConfiguration(Resource, frozen=True, kw_only=True):
    """The one configuration of Calico's controllers, named ``default``."""

    spec: KubeControllersConfigurationSpec = written(KubeControllersConfigurationSpec)
    status: KubeControllersConfigurationStatus = written(KubeControllersConfigurationStatus)
