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

    generate_name: str = ""
    interface_cidrs: tuple[str, ...] = ()
    interface_pattern: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    node_selector: str = ""


class AutoHostEndpointConfig(Value, frozen=True, kw_only=True):
    """Whether and which host endpoints are made for each node."""

    auto_create: str = ""
    create_default_host_endpoint: str = ""
    templates: tuple[HostEndpointTemplate, ...] = ()


class NodeControllerConfig(Canonical, frozen=True, kw_only=True):
    """The controller that follows the cluster's nodes."""

    reconciler_period: Duration | None = None
    sync_labels: str = ""
    host_endpoint: AutoHostEndpointConfig | None = None
    leak_grace_period: Duration | None = None


class ReconcilerConfig(Canonical, frozen=True, kw_only=True):
    """A controller of which only the period of its full comparison can be set."""

    reconciler_period: Duration | None = None


class LoadBalancerControllerConfig(Value, frozen=True, kw_only=True):
    """The controller that gives addresses to services: ``AllServices`` or ``RequestedServicesOnly``."""

    assign_ips: str = ""


class MigrationControllerConfig(Value, frozen=True, kw_only=True):
    """The controller that renames policies of older releases."""

    policy_name_migrator: str = ""


class ControllersConfig(Value, frozen=True, kw_only=True):
    """The controllers that run; one that is absent does not."""

    node: NodeControllerConfig | None = None
    policy: ReconcilerConfig | None = None
    workload_endpoint: ReconcilerConfig | None = None
    service_account: ReconcilerConfig | None = None
    namespace: ReconcilerConfig | None = None
    load_balancer: LoadBalancerControllerConfig | None = None
    migration: MigrationControllerConfig | None = None


class KubeControllersConfigurationSpec(Canonical, frozen=True, kw_only=True):
    """Logging, health, metrics, and the controllers."""

    log_severity_screen: str = ""
    health_checks: str = ""
    etcd_v3_compaction_period: Duration | None = None
    prometheus_metrics_port: Int64 | None = None
    controllers: ControllersConfig = written(ControllersConfig)
    debug_profile_port: Int32 | None = None


class KubeControllersConfigurationStatus(Value, frozen=True, kw_only=True):
    """What the running controllers report."""

    running_config: KubeControllersConfigurationSpec | None = None
    environment_vars: dict[str, str] = msgspec.field(default_factory=dict)


class KubeControllersConfiguration(Resource, frozen=True, kw_only=True):
    """The one configuration of Calico's controllers, named ``default``."""

    spec: KubeControllersConfigurationSpec = written(KubeControllersConfigurationSpec)
    status: KubeControllersConfigurationStatus = written(KubeControllersConfigurationStatus)
