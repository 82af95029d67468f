# SPDX-License-Identifier: Apache-2.0
"""What all kinds have in common: metadata, a key, and their place in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from percale.errors import Problem, ValidationError
from percale.resources.kinds import KINDS, KindInfo
from percale.resources.metadata import ObjectMeta
from percale.resources.value import Value, written

__all__ = ["API_VERSION", "Key", "Resource"]

API_VERSION = "projectcalico.org/v3"


class Key(NamedTuple):
    """What identifies a resource in a datastore; ``namespace`` is empty for global kinds."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}({self.namespace}/{self.name})" if self.namespace else f"{self.kind}({self.name})"


class Resource(Value, frozen=True, kw_only=True):
    """One object of the ``projectcalico.org/v3`` API; its kind's facts come from the registry."""

    info: ClassVar[KindInfo]
    kind: ClassVar[str]
    plural: ClassVar[str]
    namespaced: ClassVar[bool]
    aliases: ClassVar[tuple[str, ...]]

    metadata: ObjectMeta = written(ObjectMeta)

    if TYPE_CHECKING:

        @property
        def spec(self) -> Any:
            """The wanted state; each kind declares its own type."""

    def __init_subclass__(cls, **config: Any) -> None:
        super().__init_subclass__(**config)
        cls.info = info = KINDS[cls.__name__]
        cls.kind, cls.plural, cls.namespaced, cls.aliases = info.kind, info.plural, info.namespaced, info.aliases

    @property
    def name(self) -> str:
        """The name in the metadata."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """The namespace in the metadata."""
        return self.metadata.namespace

    @property
    def labels(self) -> dict[str, str]:
        """The labels in the metadata."""
        return self.metadata.labels

    @property
    def key(self) -> Key:
        """The identity of this resource in a datastore."""
        metadata = self.metadata
        return Key(self.kind, metadata.namespace if self.namespaced else "", metadata.name)

    @classmethod
    def from_yaml(cls, text: str | bytes, *, file: str = "") -> Self:
        """Return the one resource of this kind that a YAML or JSON document holds.

        Raises DocumentError with every fault of the document, and when it holds another number or kind of resources.
        """
        from percale.resources.documents import read_one

        return read_one(text, cls, file=file)

    def to_yaml(self) -> str:
        """Return the resource as calicoctl prints it."""
        from percale.resources.yaml_text import encode_yaml

        return encode_yaml(self)

    def to_json(self, *, indent: int = 0) -> str:
        """Return the resource as JSON in Calico's order; ``indent`` 0 is the compact form."""
        from percale.resources.json_text import encode_json

        return encode_json(self, indent=indent).decode()

    def validated(self) -> Self:
        """Return the resource with its defaults, and with tuples where lists were given.

        Raises ValidationError with every member of a wrong type or, where there is none, every rule that it breaks.
        """
        from percale.resources.checks import ensure
        from percale.resources.defaults import defaulted
        from percale.resources.json_text import decode_json, encode_json

        try:
            text = encode_json(self)
        except TypeError as error:
            raise ValidationError([Problem(path="", message=f"not a value of the API: {error}", rule="type")]) from None
        resource: Self = defaulted(decode_json(text, type(self)))
        ensure(resource)
        return resource

    def with_metadata(self, **changes: Any) -> Self:
        """Return the same resource with some fields of its metadata changed."""
        return self.replace(metadata=self.metadata.replace(**changes))
