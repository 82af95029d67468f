# SPDX-License-Identifier: Apache-2.0
"""Checks of metadata: names, labels, annotations (spec/validation.md sections 3.1 and 4.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from percale.resources.checks.site import Rulebook, Site, states
from percale.resources.checks.tokens import DNS_SUBDOMAIN
from percale.resources.metadata import ObjectMeta

__all__ = ["METADATA", "check_annotations", "check_labels", "check_name", "check_plain_labels", "label_problems"]

MAX_NAME_BYTES = 253
MAX_ANNOTATION_BYTES = 262_144

_NAME_PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_QUALIFIED = re.compile(_NAME_PART)
_VALUE = re.compile(f"({_NAME_PART})?")
_SUBDOMAIN_WORDS = (
    "name must consist of lower case alphanumeric characters, '-' or '.'"
    " (regex: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)"
)
_PART_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    " character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_PART_HINT = "use letters, digits, '-', '_' and '.', with a letter or digit at both ends"


@states(f"a valid name of at most {MAX_NAME_BYTES} characters")
def check_name(site: Site) -> None:
    """Check the name by the rule of every kind."""
    name = site.value
    if len(name.encode()) > MAX_NAME_BYTES:
        site.refuse(f"is longer than {MAX_NAME_BYTES} bytes", "choose a shorter name", name="Metadata.Name")
    if not name:
        site.refuse("is required", "give the resource a name", name="Metadata.Name", reason=_SUBDOMAIN_WORDS)
    elif DNS_SUBDOMAIN.fullmatch(name) is None:
        site.refuse(f"{name!r} is not a valid name", _name_hint(name), name="Metadata.Name", reason=_SUBDOMAIN_WORDS)


@states("labels by the rules of Kubernetes: keys with an optional prefix, values of at most 63 characters")
def check_labels(site: Site) -> None:
    """Check the keys and values of labels."""
    for key, value in site.value.items():
        here = site.key(key)
        for message, reason in label_problems(key):
            here.refuse(message, _PART_HINT, name="Metadata.Labels (label)", reason=reason, value=key)
        if len(value) > 63:
            here.refuse(
                f"the value has {len(value)} characters; at most 63 are allowed",
                name="Metadata.Labels (value)",
                reason="must be no more than 63 bytes",
            )
        if _VALUE.fullmatch(value) is None:
            hint = f"{_PART_HINT}; other texts can stand in an annotation"
            here.refuse(f"{value!r} is not a label value", hint, name="Metadata.Labels (value)", reason=_VALUE_WORDS)


@states("labels by the rules of Kubernetes: keys with an optional prefix, values of at most 63 characters")
def check_plain_labels(site: Site) -> None:
    """Check labels that are a member of a spec: Calico cites the member once, people see every fault."""
    before = len(site.found)
    check_labels(site)
    reason = f"Reason: failed to validate Field: {site.member} because of Tag: labels "
    for index in range(before, len(site.found)):
        cited = index == before
        site.found[index] = site.found[index].replace(calico_name=site.member, calico_reason=reason, cited=cited)


@states(f"annotations by the rules of Kubernetes: keys with an optional prefix, {MAX_ANNOTATION_BYTES} bytes in all")
def check_annotations(site: Site) -> None:
    """Check the keys of annotations and their total size."""
    annotations: Mapping[str, str] = site.value
    for key in annotations:
        for message, reason in label_problems(key.lower()):
            site.key(key).refuse(message, _PART_HINT, name="Metadata.Annotations (key)", reason=reason, value=key)
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > MAX_ANNOTATION_BYTES:
        site.refuse(
            f"all annotations together have {size} bytes; at most {MAX_ANNOTATION_BYTES} are allowed",
            name="Metadata.Annotations (key)",
            value=None,
        )


def label_problems(key: str) -> list[tuple[str, str]]:
    """Return what keeps a key from being a qualified name, in our words and in Calico's."""
    prefix, slash, name = key.rpartition("/")
    found = []
    if slash and "/" in prefix:
        return [(f"the key {key!r} has more than one '/'", "a valid label key has one optional prefix")]
    if slash and not prefix:
        found.append((f"the key {key!r} has an empty prefix before the '/'", "prefix part must be non-empty"))
    elif slash and (len(prefix) > MAX_NAME_BYTES or DNS_SUBDOMAIN.fullmatch(prefix) is None):
        found.append((f"the prefix {prefix!r} of the key is not a domain name", f"prefix part {_SUBDOMAIN_WORDS[5:]}"))
    if not name:
        found.append((f"the key {key!r} has no name", "name part must be non-empty"))
    if len(name) > 63:
        found.append(
            (f"the key's name has {len(name)} characters; at most 63", "name part must be no more than 63 bytes")
        )
    if _QUALIFIED.fullmatch(name) is None:
        found.append((f"{key!r} is not a label key", _PART_WORDS))
    return found


def _name_hint(name: str) -> str:
    if name != name.lower() and DNS_SUBDOMAIN.fullmatch(name.lower()):
        return f"use lower case: {name.lower()}"
    if "_" in name and DNS_SUBDOMAIN.fullmatch(name.replace("_", "-")):
        return f"use '-' instead of '_': {name.replace('_', '-')}"
    return "use lower-case letters, digits, '-' and '.', with a letter or digit at both ends of each part"


METADATA = Rulebook(
    members={ObjectMeta: {"name": check_name, "labels": check_labels, "annotations": check_annotations}}
)
