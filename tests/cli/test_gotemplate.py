# SPDX-License-Identifier: Apache-2.0
"""Go's template language (spec/cli.md section 9)."""

import pytest

from percale.cli.gotemplate import TemplateError, render
from percale.datastore.revision import NumberRevision
from percale.datastore.seams import ResourceList
from percale.resources import ObjectMeta, WorkloadEndpoint, WorkloadEndpointSpec


@pytest.fixture
def endpoints():
    first = WorkloadEndpoint(
        metadata=ObjectMeta(name="a", namespace="shop", labels={"role": "web", "app": "x"}),
        spec=WorkloadEndpointSpec(node="n1", ip_networks=("192.0.2.1/32", "192.0.2.2/32")),
    )
    second = WorkloadEndpoint(metadata=ObjectMeta(name="b"), spec=WorkloadEndpointSpec(node="n2"))
    return [first, second]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{range .}}{{.Name}} {{end}}", "a b "),
        ("{{range .}}{{.ObjectMeta.Name}}/{{.Spec.Node}} {{end}}", "a/n1 b/n2 "),
        ("{{range .}}{{.Kind}} {{.APIVersion}};{{end}}", "WorkloadEndpoint projectcalico.org/v3;" * 2),
        ('{{range .}}{{join .Spec.IPNetworks ","}};{{end}}', "192.0.2.1/32,192.0.2.2/32;;"),
        ('{{range .}}{{join .Labels ";"}}|{{end}}', "app=x;role=web||"),
        ("{{range .}}{{.Labels.role}},{{end}}", "web,<no value>,"),
        ('{{joinAndTruncate (index . 0).Spec.IPNetworks "," 10}}', "192.0.2..."),
        ("{{len .}}", "2"),
        ("{{range $i, $e := .}}{{$i}}{{$e.Name}}{{end}}", "0a1b"),
        ("{{$x := 1}}{{range .}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{range .}}{{if eq .Name `a`}}yes{{else}}no{{end}} {{end}}", "yes no "),
        ("{{if false}}1{{else if true}}2{{else}}3{{end}}", "2"),
        ("{{with false}}x{{else}}none{{end}}", "none"),
        ("{{with 5}}{{.}}{{end}}", "5"),
        ("{{range .}}{{break}}x{{end}}", ""),
        ("{{range .}}{{if eq .Name `a`}}{{continue}}{{end}}{{.Name}}{{end}}", "b"),
        ("a {{- 1 -}} b", "a1b"),
        ("a{{/* nothing */}}b", "ab"),
        ('{{printf "%5d|%-4s|%q|%v" 7 "x" "y" true}}', '    7|x   |"y"|true'),
        ("{{print 1 2 `a` 3}}", "1 2a3"),
        ("{{println 1 `a`}}", "1 a\n"),
        ("{{and 1 0}} {{or 0 2}} {{not 0}}", "0 2 true"),
        ("{{eq 1 2 1}} {{lt 1 2}} {{ge 1 2}}", "true true false"),
        ("{{slice `abcd` 1 3}}", "bc"),
        ('{{define "T"}}<{{.}}>{{end}}{{template "T" 4}}', "<4>"),
        ('{{block "B" 5}}[{{.}}]{{end}}', "[5]"),
        ("{{config `asnumber`}}", "64512"),
        ("{{range .}}{{else}}empty{{end}}", ""),
    ],
)
def test_templates(endpoints, template, text):
    """What a template makes of two endpoints."""
    assert render(template, endpoints, {"config": lambda _: 64512}) == text


def test_lists(endpoints):
    """A list has its items, its kind and its resource version."""
    listed = ResourceList("WorkloadEndpoint", NumberRevision(7), endpoints)
    template = "{{range .}}{{.Kind}} {{.ResourceVersion}}:{{range .Items}}{{.Name}}{{end}}{{end}}"
    assert render(template, [listed], {}) == "WorkloadEndpointList 7:ab"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{range .", 'illegal number syntax: "."'),
        ("{{frob .}}", 'function "frob" not defined'),
        ("{{range .}}", "unexpected EOF"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{", "unclosed action"),
        ("{{/* x", "unclosed comment"),
        ('{{"abc}}', "unterminated quoted string"),
        ("{{(1}}", "unclosed left paren"),
        ("{{}}", "missing value for command"),
        ("{{$x}}", 'undefined variable "$x"'),
        ('{{template "T"}}', 'template "T" not defined'),
        ('{{define "T"}}{{template "T"}}{{end}}{{template "T"}}', "exceeded maximum template depth"),
        ("{{index . 9}}", "index out of range"),
        ("{{range .}}{{.Spec.Nowhere}}{{end}}", "can't evaluate field Nowhere in type WorkloadEndpointSpec"),
    ],
)
def test_refusals(endpoints, template, text):
    """What cannot be read or evaluated is refused with its line."""
    with pytest.raises(TemplateError, match=r"^template: get:1: ") as refusal:
        render(template, endpoints, {})
    assert text in str(refusal.value)


def test_line_of_a_fault(endpoints):
    """A fault is named by its line."""
    with pytest.raises(TemplateError, match="get:3: function"):
        render("a\nb\n{{frob}}", endpoints, {})


def test_lists_and_times(endpoints):
    """A list is an object too, under Go's names; times print as Go prints them, absent ones as its first one."""
    first, second = endpoints
    made = first.with_metadata(creation_timestamp="2026-11-28T04:16:35Z")
    listed = ResourceList("WorkloadEndpoint", NumberRevision(7), [made, second])
    template = "{{range .}}{{.TypeMeta.Kind}} {{range .Items}}{{.CreationTimestamp}};{{end}}{{end}}"
    assert render(template, [listed], {}) == (
        "WorkloadEndpointList 2026-11-28 04:16:35 +0000 UTC;0001-01-01 00:00:00 +0000 UTC;"
    )
    assert render("{{.}}", [ResourceList("Tier", NumberRevision(7), [])], {}) == "[[]]"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{with index . 0}}{{.Labels.role}} {{.Labels.none}}{{end}}", "web <no value>"),
        ("{{with index . 0}}{{if .Labels.none}}a{{else}}b{{end}}{{end}}", "b"),
        ('{{with index . 0}}[{{index .Labels "none"}}]{{end}}', "[]"),
    ],
)
def test_members_that_a_map_lacks(endpoints, template, text):
    """A member that a map does not have is no value; looked up by `index` it is an empty text."""
    assert render(template, endpoints, {}) == text


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{{join .}}", "wrong number of args for join: want 2 got 1"),
        ("{{len}}", "wrong number of args for len: want 1 got 0"),
        ('{{join . "," 3}}', "wrong number of args for join: want 2 got 3"),
        ("{{index}}", "wrong number of args for index: want at least 1 got 0"),
    ],
)
def test_numbers_of_arguments(endpoints, template, complaint):
    """A function that is given too much or too little says what it wants."""
    with pytest.raises(TemplateError, match=complaint):
        render(template, endpoints, {})
