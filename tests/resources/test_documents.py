# SPDX-License-Identifier: Apache-2.0
"""What people write: streams, their faults, and the words for them."""

import pytest

from percale.resources import DocumentError, IPPool, NetworkPolicy, Tier, WorkloadEndpoint, read_documents
from percale.resources.documents import MAX_DOCUMENT_BYTES

SAMPLE = """\
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata:
  name: node1-k8s-my--nginx--b1337a-eth0
  namespace: default
  labels:
    app: frontend
    projectcalico.org/namespace: default
    projectcalico.org/orchestrator: k8s
spec:
  node: node1
  orchestrator: k8s
  endpoint: eth0
  containerID: 1337495556942031415926535
  pod: my-nginx-b1337a
  endpoint: eth0
  interfaceName: cali0ef24ba
  mac: ca:fe:1d:52:bb:e9
  ipNetworks:
  - 192.168.0.0/32
  profiles:
  - profile1
  ports:
  - name: some-port
    port: 1234
    protocol: TCP
  - name: another-port
    port: 5432
    protocol: UDP
"""
MENDED = SAMPLE.replace("  pod: my-nginx-b1337a\n  endpoint: eth0\n", "  pod: my-nginx-b1337a\n").replace(
    "1337495556942031415926535", '"1337495556942031415926535"'
)


def endpoint(spec="", metadata=""):
    """A workload endpoint with more lines in its spec (from line 12 on) or its metadata (from line 6 on)."""
    return (
        "apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata:\n  name: n1-k8s-p-e\n  namespace: shop\n"
        f"{metadata}spec:\n  node: n1\n  orchestrator: k8s\n  pod: p\n  endpoint: e\n  interfaceName: cali1\n{spec}"
    )


def profile(name):
    return f"apiVersion: projectcalico.org/v3\nkind: Profile\nmetadata:\n  name: {name}\n"


def refused(text, file="x.yaml"):
    """The refusals of a text, as people read them."""
    with pytest.raises(DocumentError) as error:
        read_documents(text, file=file)
    return [str(problem) for problem in error.value.problems if not problem.warning]


def only(text):
    """The one document of a text."""
    (document,) = read_documents(text, file="x.yaml")
    return document


def names(text):
    return [document.resource.name for document in read_documents(text)]


class TestSample:
    """The sample of Calico's own page on workload endpoints."""

    def test_as_printed_both_defects_are_named_at_once(self):
        """The doubled member and the number that loses its digits are refused together, with lines and remedies."""
        assert refused(SAMPLE, "wep.yaml") == [
            "wep.yaml:14: WorkloadEndpoint default/node1-k8s-my--nginx--b1337a-eth0: spec.containerID:"
            " the unquoted number 1337495556942031415926535 does not fit 64 bits and would become the text"
            " '1.3374956e+24'\n"
            '    write it in quotes: "1337495556942031415926535"',
            "wep.yaml:16: WorkloadEndpoint default/node1-k8s-my--nginx--b1337a-eth0: spec.endpoint:"
            " 'endpoint' stands twice; it was already set in line 13\n"
            "    keep one of the two lines",
        ]

    def test_mended_it_is_accepted_and_valid(self):
        """With one endpoint and the ID in quotes it is a valid resource without any warning."""
        document = only(MENDED)
        assert document.resource.spec.container_id == "1337495556942031415926535"
        assert document.check() == ()
        assert document.resource == WorkloadEndpoint.from_yaml(document.resource.to_yaml())


class TestStream:
    """How a stream is cut into documents."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", []),
            (profile("a"), ["a"]),
            ("---\n" + profile("a"), ["a"]),
            (profile("a") + "---", ["a"]),
            (profile("a") + "---\n", ["a"]),
            (profile("a") + "---\n" + profile("b"), ["a", "b"]),
            (profile("a") + "---\n---\n" + profile("b"), ["a", "b"]),
            (profile("a") + "--- # note\n" + profile("b"), ["a", "b"]),
            (profile("a") + "---foo\n" + profile("b"), ["a", "b"]),
            (profile("a") + "...\n---\n" + profile("b"), ["a", "b"]),
            ("# note\n\n" + profile("a") + "# note\n", ["a"]),
            ("\ufeff" + profile("a").replace("\n", "\r\n"), ["a"]),
            ("[]", []),
            ("{kind: TierList, apiVersion: projectcalico.org/v3, items: []}", []),
        ],
    )
    def test_documents_are_cut_at_lines_of_three_dashes(self, text, expected):
        """Text after the dashes, a final separator and comments beside content do no harm."""
        assert expected == names(text)

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("\n", 1),
            ("# note\n", 1),
            ("---", 1),
            ("# note\n---\n" + profile("a"), 1),
            (profile("a") + "---\n\n---\n" + profile("b"), 6),
            (profile("a") + "---\n---\n---\n" + profile("b"), 6),
            (profile("a") + "---\n# note\n", 6),
        ],
    )
    def test_a_document_without_content_is_refused_with_its_line(self, text, line):
        """Calico's words for it name an unknown resource type; ours say what to remove."""
        with pytest.raises(DocumentError) as error:
            read_documents(text, file="x")
        assert error.value.calico_text == "unknown resource type () and/or version ()"
        assert str(error.value).startswith(f"x:{line}: the document has no content\n    remove the surplus '---'")

    def test_json_is_read_like_yaml(self):
        """JSON stands wherever YAML does; of two objects without a separator the first counts."""
        one = '{"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": {"name": "a"}, "spec": {"order": 5}}'
        assert read_documents(one)[0].resource == Tier.from_yaml(one)
        assert names(one + "\n" + one.replace('"a"', '"b"')) == ["a"]
        assert names(one.replace('"a"', '"\\ud83d\\ude00"')) == ["😀"]

    def test_lists_hold_resources(self):
        """A typed list lends its kind to items without one; a bare sequence holds resources of any kind."""
        items = "- metadata: {name: a}\n- apiVersion: projectcalico.org/v3\n  kind: Tier\n  metadata: {name: b}\n"
        assert names("apiVersion: projectcalico.org/v3\nkind: TierList\nitems:\n" + items) == ["a", "b"]
        assert names("- {apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: a}}\n") == ["a"]

    def test_all_documents_are_judged_before_the_refusal(self):
        """Faults of several documents come in one refusal, in order of lines; warnings stay beside them."""
        text = profile("a\nbogus: 1") + "---\n" + profile("b\nwrong: 2")
        assert [line.split(":")[1] for line in refused(text)] == ["5", "11"]

    def test_size_is_limited(self):
        """The last size that is accepted, and the first that is refused."""
        filler = "#" * (MAX_DOCUMENT_BYTES - len(profile("a")))
        assert names(profile("a") + filler) == ["a"]
        assert "longer than 10 MiB" in refused(profile("a") + filler + "#")[0]

    def test_depth_is_limited(self):
        """Lists nested a hundred deep are read as wrong types, deeper ones are not read at all."""
        assert "nested deeper" not in refused("a: " + "[" * 99 + "]" * 99)[0]
        assert "nested deeper than 100 levels" in refused("a: " + "[" * 101 + "]" * 101)[0]
        assert "nested deeper than 100 levels" in refused("[" * 100_000)[0]

    def test_aliases_cannot_grow_without_bound(self):
        """Ten levels of ten aliases each are refused before they are followed."""
        lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
        lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
        assert "values after aliases are followed" in refused("\n".join(lines))[0]

    def test_the_number_of_documents_is_limited(self, monkeypatch):
        """The stream is read up to the limit, and the first document beyond is named."""
        monkeypatch.setattr("percale.resources.documents.MAX_DOCUMENTS", 2)
        assert names("---\n".join(map(profile, "ab"))) == ["a", "b"]
        assert refused("---\n".join(map(profile, "abc"))) == [
            "x.yaml:11: more than 2 documents\n    cut the file into several"
        ]

    def test_tags_say_what_a_scalar_is(self):
        """A tagged text stays a text, a tagged binary is decoded."""
        text = (
            "apiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {name: !!str 010, labels: {a: !!binary aGk=}}\n"
        )
        assert (only(text).resource.name, only(text).resource.labels) == ("010", {"a": "hi"})

    def test_members_of_a_list_are_known(self):
        """A typed list has items, which are a list, and nothing else."""
        head = "apiVersion: projectcalico.org/v3\nkind: TierList\n"
        assert refused(head + "item: []\n") == ["x.yaml:3: unknown field 'item' in a list\n    a list has items"]
        assert refused(head + "items: {}\n")[0].startswith("x.yaml:3: items: expected a list of resources")

    def test_text_that_is_not_utf8_is_refused(self):
        """The line of the first wrong byte is named."""
        assert refused(b"kind: Tier\nname: \xff\n") == ["x.yaml:2: not UTF-8\n    save the file as UTF-8"]

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            (b"\xff\n", "invalid leading UTF-8 octet"),
            (b"\xc3\n", "invalid trailing UTF-8 octet"),
            (b"\xc3", "incomplete UTF-8 octet sequence"),
        ],
    )
    def test_text_that_is_not_utf8_is_told_as_calico_does(self, name, reason):
        """Calico's own words are those of libyaml, by which byte is wrong."""
        with pytest.raises(DocumentError) as error:
            read_documents(b"name: " + name)
        assert error.value.calico_text == f"error converting YAML to JSON: yaml: {reason}"

    def test_entries_that_are_no_resources(self):
        """What is wrong with several entries of one line is told once, in other lines again."""
        lines = [text.partition(": ")[0] for text in refused("[1, two,\n3]")]
        assert lines == ["x.yaml:1", "x.yaml:2"]

    def test_a_fault_that_calico_does_not_know(self):
        """Where there are no words of Calico's, the message stands for them, without place and advice."""
        with pytest.raises(DocumentError) as error:
            read_documents("apiVersion: projectcalico.org/v3\nkind: TierList\nitems: {}\n", file="x.yaml")
        assert error.value.calico_text == "items: expected a list of resources"


class TestKinds:
    """Which resources are known."""

    @pytest.mark.parametrize(
        ("text", "message", "calico"),
        [
            (
                "apiVersion: projectcalico.org/v3\nkind: NetworkPolicies\n",
                "x.yaml:2: unknown kind 'NetworkPolicies'\n    did you mean 'NetworkPolicy'?",
                "unknown resource type (NetworkPolicies) and/or version (projectcalico.org/v3)",
            ),
            (
                "apiVersion: projectcalico.org/v3\nkind: workloadEndpoint\n",
                "x.yaml:2: unknown kind 'workloadEndpoint'\n    did you mean 'WorkloadEndpoint'?",
                "unknown resource type (workloadEndpoint) and/or version (projectcalico.org/v3)",
            ),
            (
                "apiVersion: v1\nkind: Pod\n",
                "x.yaml:1: unknown apiVersion 'v1'\n    write 'apiVersion: projectcalico.org/v3'",
                "unknown resource type (Pod) and/or version (v1)",
            ),
            (
                "apiVersion: projectcalico.org/v3\nkind: IPAMBlock\n",
                "x.yaml:2: unknown kind 'IPAMBlock'",
                "unknown resource type (IPAMBlock) and/or version (projectcalico.org/v3)",
            ),
            (
                "apiVersion: projectcalico.org/v3\nmetadata: {}\n",
                "x.yaml:1: the resource has no kind\n    add a line such as 'kind: NetworkPolicy'",
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal object into Go value of type"
                " []unstructured.Unstructured",
            ),
            (
                "hello\n",
                "x.yaml:1: expected a resource with apiVersion, kind, metadata and spec",
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go value of type"
                " []unstructured.Unstructured",
            ),
        ],
    )
    def test_an_unknown_resource_is_named_with_a_way_out(self, text, message, calico):
        """Kinds are case-sensitive; internal ones are nobody's to write."""
        with pytest.raises(DocumentError) as error:
            read_documents(text, file="x.yaml")
        assert str(error.value).startswith(message)
        assert calico == error.value.calico_text

    def test_reading_one_resource_insists_on_its_kind(self):
        """from_yaml of a kind refuses another kind and a number of resources."""
        with pytest.raises(DocumentError, match="expected one IPPool, found Profile"):
            IPPool.from_yaml(profile("a"))
        with pytest.raises(DocumentError, match="expected one IPPool, found Profile, Profile"):
            IPPool.from_yaml(profile("a") + "---\n" + profile("b"))


class TestFields:
    """Names and types of fields."""

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            (
                "  interfacName: x\n",
                "spec.interfacName: unknown field 'interfacName'\n    did you mean 'interfaceName'?",
            ),
            ("  labels: {}\n", "spec.labels: unknown field 'labels'\n    'labels' belongs under metadata"),
            ("  profiles: base\n", "spec.profiles: expected a list of texts, found the text 'base'\n    write [base]"),
            ("  profiles: {a: b}\n", "spec.profiles: expected a list of texts, found an object with members"),
            ("  ports: [http]\n", "spec.ports[0]: expected an object with members, found the text 'http'"),
            (
                "  node: [n]\n",
                "spec.node: 'node' stands twice; it was already set in line 7\n    keep one of the two lines",
            ),
            ("  mac: [a]\n", "spec.mac: expected a text, found a list"),
            (
                '  ports: [{name: p, protocol: TCP, port: "80"}]\n',
                "spec.ports[0].port: expected a whole number, found the text '80'\n    remove the quotes: 80",
            ),
            (
                "  ports: [{name: p, protocol: TCP, port: 80.5}]\n",
                "spec.ports[0].port: expected a whole number, found 80.5",
            ),
            (
                "  ports: [{name: p, protocol: TCP, port: true}]\n",
                "spec.ports[0].port: expected a whole number, found true",
            ),
            (
                "  ports: [{name: p, protocol: TCP, port: 65536}]\n",
                "spec.ports[0].port: 65536 is out of range: expected 0 to 65535",
            ),
            (
                "  ports: [{name: p, protocol: TCP, port: -1}]\n",
                "spec.ports[0].port: -1 is out of range: expected 0 to 65535",
            ),
            (
                "  ports: [{name: p, port: 80, protocol: 256}]\n",
                "spec.ports[0].protocol: 256 is out of range: expected 0 to 255 or a name",
            ),
            (
                "  ports: [{name: p, port: 80, protocol: 1.5}]\n",
                "spec.ports[0].protocol: expected a number or a text, found 1.5",
            ),
            ("  mac: .inf\n", "spec.mac: .inf has no form in JSON\n    write a number, or quote it: '.inf'"),
        ],
    )
    def test_a_wrong_field_is_refused_with_line_and_remedy(self, line, message):
        """The path is the one that was written, the hint says what to write instead."""
        (problem,) = refused(endpoint(spec=line))
        assert problem.startswith(f"x.yaml:12: WorkloadEndpoint shop/n1-k8s-p-e: {message}")

    def test_what_the_rules_find_in_the_rest_is_told_at_once(self):
        """An unknown field does not hide a bad name; what touches the unread place is not judged."""
        faults = refused(
            endpoint(spec="  mcc: 1\n  profiles: [Bad]\n  ports: [{name: p, port: many, protocol: TCP}]\n")
        )
        assert [fault.split(": ")[2] for fault in faults] == ["spec.mcc", "spec.profiles[0]", "spec.ports[0].port"]

    @pytest.mark.parametrize(
        ("line", "port"),
        [("80", 80), ("80.0", 80), ("010", 8), ("0x50", 80), ("8e1", 80), ("65535", 65535), ("0", 0)],
    )
    def test_numbers_are_read_as_go_reads_them(self, line, port):
        """Floats without fraction, octal and hexadecimal numbers are whole numbers."""
        assert only(endpoint(spec=f"  ports: [{{port: {line}}}]\n")).resource.spec.ports[0].port == port

    def test_names_of_fields_have_any_case(self):
        """Calico reads MAC as mac; so do we."""
        assert only(endpoint(spec="  MAC: ee:ee:ee:00:00:01\n")).resource.spec.mac == "ee:ee:ee:00:00:01"

    def test_null_is_absent(self):
        """A member, a label's value and an item may be null."""
        spec = only(endpoint(spec="  mac: ~\n  profiles: [null]\n", metadata="  labels: {a: }\n")).resource
        assert (spec.spec.mac, spec.spec.profiles, spec.labels) == ("", ("",), {"a": ""})

    @pytest.mark.parametrize(
        ("written", "text"),
        [
            ("yes", "true"),
            ("n", "false"),
            ("True", "true"),
            ("010", "8"),
            ("1_000", "1000"),
            ("0x1F", "31"),
            ("1.10", "1.1"),
            ("12e03", "12000"),
            ("1e6", "1e+06"),
            ("+5", "5"),
            (".5", "0.5"),
        ],
    )
    def test_a_scalar_that_becomes_another_text_is_taken_with_a_warning(self, written, text):
        """We follow Calico's result and say so."""
        document = only(endpoint(metadata=f"  labels: {{v: {written}}}\n"))
        assert document.resource.labels == {"v": text}
        assert [str(warning) for warning in document.warnings] == [
            f"warning: x.yaml:6: WorkloadEndpoint shop/n1-k8s-p-e: metadata.labels.v: the unquoted"
            f' {written} becomes the text {text!r}\n    to keep it, write "{written}"'
        ]

    @pytest.mark.parametrize(
        "written", ["abc", "5", "true", "1.5", "12345678901234567890", "2001-01-01", "1e400", "12:30"]
    )
    def test_a_scalar_that_keeps_its_text_gives_no_warning(self, written):
        """Most scalars are texts already, or read back as they were written."""
        document = only(endpoint(metadata=f"  labels: {{v: {written}}}\n"))
        assert (document.resource.labels, document.warnings) == ({"v": written}, ())

    @pytest.mark.parametrize(("number", "fits"), [(2**64 - 1, True), (2**64, False)])
    def test_whole_numbers_beyond_64_bits_need_quotes(self, number, fits):
        """The last number that stays a text, and the first that would lose its digits."""
        text = endpoint(metadata=f"  labels: {{v: {number}}}\n")
        if fits:
            assert only(text).resource.labels == {"v": str(number)}
        else:
            assert f'write it in quotes: "{number}"' in refused(text)[0]

    @pytest.mark.parametrize(("number", "text"), [("08", "8"), ("-09", "-9"), ("0_9", "9")])
    def test_no_octal_number_after_all(self, number, text):
        """A number that begins like an octal one and is none is a decimal one, with a warning."""
        document = only(endpoint(metadata=f"  annotations: {{v: {number}}}\n"))
        assert document.resource.metadata.annotations == {"v": text}
        assert f"the unquoted {number} becomes the text '{text}'" in str(document.warnings[0])

    def test_keys_are_scalars_too(self):
        """The label n is the label false, with a warning."""
        document = only(endpoint(metadata="  labels: {n: a}\n"))
        assert document.resource.labels == {"false": "a"}
        assert "the unquoted key n becomes the text 'false'" in str(document.warnings[0])

    def test_merge_keys_and_aliases_work(self):
        """What stands in the mapping itself wins over what is merged."""
        text = endpoint(metadata="  annotations: &a {b: '1', c: '2'}\n  labels:\n    <<: *a\n    c: '3'\n")
        assert only(text).resource.labels == {"b": "1", "c": "3"}


class TestSyntax:
    """Texts that are no YAML."""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a:\n\tb: 1\n", "x.yaml:2: not readable as YAML"),
            ("a: [1\n", "x.yaml:2: not readable as YAML"),
            ("a: *b\n", "x.yaml:1: a: alias *b has no anchor"),
            ("a: &b [*b]\n", "x.yaml:1: a[0]: anchor 'b' contains itself"),
            ("\n\na: \x00\n", "x.yaml:3: character #x0000 is not allowed in YAML"),
        ],
    )
    def test_a_syntax_error_names_its_line(self, text, message):
        """The line counts from the top of the file."""
        assert message in refused(text)[0]

    def test_tabs_are_explained(self):
        """The commonest fault has a hint of its own."""
        assert "indent with blanks, not with a tab" in refused("a:\n\tb: 1\n")[0]

    def test_lines_count_from_the_top_of_the_stream(self):
        """A fault in the second document has its line in the file."""
        assert refused(profile("a") + "---\n" + "b: [\n")[0].startswith("x.yaml:7:")


class TestChecks:
    """Documents know where their problems are."""

    def test_problems_of_the_content_have_lines(self):
        """What the rules find is placed at the field's line, in order of lines."""
        text = endpoint(spec="  mac: nonsense\n  ipNetworks:\n  - 10.0.0.1/32\n  - 10.0.0.300/32\n")
        assert [str(problem) for problem in only(text).check() if problem.shown] == [
            "x.yaml:12: WorkloadEndpoint shop/n1-k8s-p-e: spec.mac: 'nonsense' is not a MAC address\n"
            "    write it like ee:ee:ee:00:00:01",
            "x.yaml:15: WorkloadEndpoint shop/n1-k8s-p-e: spec.ipNetworks[1]: '10.0.0.300/32' is not an address\n"
            "    an octet is at most 255",
        ]

    def test_an_absent_field_takes_the_line_of_its_parent(self):
        """What is missing has no line of its own."""
        head = "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: a, namespace: b}\n"
        text = head + "spec:\n  ingress:\n  - {}\n"
        (problem,) = (problem for problem in only(text).check() if problem.shown)
        assert (problem.line, problem.path) == (6, "spec.ingress[0].action")
        assert NetworkPolicy.from_yaml(text).spec.ingress[0].action == ""


HEAD = "apiVersion: projectcalico.org/v3\nkind: Profile\n"
UNREADABLE = "error converting YAML to JSON: "


@pytest.mark.parametrize(
    ("text", "calico"),
    [
        ("text\nb: c\n", f"{UNREADABLE}yaml: line 2: mapping values are not allowed in this context"),
        (f"{HEAD}metadata: {{name: *a}}\n", f"{UNREADABLE}yaml: unknown anchor 'a' referenced"),
        (f"{HEAD}metadata: &a {{labels: *a}}\n", f"{UNREADABLE}yaml: anchor 'a' value contains itself"),
        (f"{HEAD}bogus: 1\nspec: !!binary x\n", f"{UNREADABLE}yaml: !!binary value contains invalid base64 data"),
        ("\x01\n", f"{UNREADABLE}yaml: control characters are not allowed"),
        (
            f"{HEAD}bogus: 1\nspec: {{<<: 3}}\n",
            f"{UNREADABLE}yaml: map merge requires map or sequence of maps as the value",
        ),
        (
            f"{HEAD}bogus: 1\nspec: 2\nspec: 3\nspec: 4\n",
            f'{UNREADABLE}yaml: unmarshal errors:\n  line 5: key "spec" already set in map\n'
            '  line 6: key "spec" already set in map',
        ),
        (
            f"{HEAD}bogus: 1\nmetadata: {{name: x}}\nspec: {{labelsToApply: {{a: .inf}}}}\n",
            f"{UNREADABLE}json: unsupported value: +Inf",
        ),
        (
            f"{HEAD}metadata: {{name: x}}\nspec: {{labelsToApply: [1]}}\nbogus: 1\n",
            'error unmarshaling JSON: while decoding JSON: json: unknown field "bogus"',
        ),
        (
            f"{HEAD}metadata: {{name: x}}\nspec: {{bogus: 1}}\n---\n{HEAD}metadata: {{name: x, name: y}}\n",
            'error unmarshaling JSON: while decoding JSON: json: unknown field "bogus"',
        ),
    ],
)
def test_calico_stops_at_the_first_fault_on_its_way(text, calico):
    """Calico's words are about the first document, its syntax first, then its members in order of their names."""
    with pytest.raises(DocumentError) as refusal:
        read_documents(text)
    assert refusal.value.calico_text == calico
