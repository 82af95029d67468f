# SPDX-License-Identifier: Apache-2.0
"""``validate`` for programs: JSON, SARIF, and the exit status."""

import io
import json

import pytest

from percale.cli.main import main

GOOD = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: a}\nspec: {nets: [192.0.2.0/24]}\n"
BAD = GOOD.replace("192.0.2.0/24", "192.0.2.0/33, nope")
UNKNOWN = GOOD.replace("nets", "netz")


@pytest.fixture
def validated(capsys, tmp_path, monkeypatch):
    """Validate files of these texts; the exit status and what was printed."""
    monkeypatch.chdir(tmp_path)

    def run(form, *texts):
        for number, text in enumerate(texts):
            (tmp_path / f"{number}.yaml").write_text(text)
        status = main(["validate", "-f", ".", "-o", form])
        return status, capsys.readouterr().out

    return run


def test_valid_documents_have_no_findings(validated):
    """Without a problem the status is 0 and the lists are empty."""
    assert validated("json", GOOD) == (0, '{\n  "valid": true,\n  "problems": []\n}\n')
    status, out = validated("sarif", GOOD)
    assert (status, json.loads(out)["runs"][0]["results"]) == (0, [])


def test_each_problem_is_told_with_its_facts(validated):
    """JSON holds every problem of a document: file, line, field, rule and words."""
    status, out = validated("json", GOOD, BAD)
    told = json.loads(out)
    assert (status, told["valid"]) == (1, False)
    assert [(one["file"], one["line"], one["field"], one["level"]) for one in told["problems"]] == [
        ("./1.yaml", 4, "spec.nets[0]", "error"),
        ("./1.yaml", 4, "spec.nets[1]", "error"),
    ]


@pytest.mark.parametrize("text", [BAD, UNKNOWN, "a: [\n", GOOD.replace("Set", "Sett")])
def test_findings_have_places(validated, text):
    """SARIF names rule, level and place, for what rules refuse as for what cannot be read."""
    status, out = validated("sarif", text)
    log = json.loads(out)
    (run,) = log["runs"]
    known = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert (status, log["version"]) == (1, "2.1.0")
    for result in run["results"]:
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "./0.yaml"
        assert place["region"]["startLine"] >= 1
        assert (result["level"], result["ruleId"] in known) == ("error", True)


def test_warnings_refuse_nothing(validated):
    """A warning is a finding, and the status stays 0."""
    status, out = validated("json", GOOD.replace("name: a", "name: a, labels: {a: 010}"))
    assert (status, [one["level"] for one in json.loads(out)["problems"]]) == (0, ["warning"])


def test_standard_input_is_a_file(capsys, monkeypatch):
    """What is read from standard input has lines too."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
    assert main(["validate", "-f", "-", "-o", "json"]) == 1
    assert {one["file"] for one in json.loads(capsys.readouterr().out)["problems"]} == {"stdin"}


def test_another_format_is_refused(capsys, tmp_path):
    """A format that does not exist is named together with those that do."""
    (tmp_path / "a.yaml").write_text(GOOD)
    assert main(["validate", "-f", str(tmp_path), "-o", "xml"]) == 1
    assert capsys.readouterr().err == "unrecognized output format 'xml', expected one of: text, json, sarif\n"


@pytest.mark.parametrize("verb", ["validate", "apply", "diff", "get"])
def test_a_file_that_is_not_utf8_is_told_once(verb, capsys, tmp_path, monkeypatch):
    """What is wrong and what to do stand once, then what calicoctl would say."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PERCALE_DATASTORE", str(tmp_path / "store"))
    (tmp_path / "x.yaml").write_bytes(b"kind: \xff\n")
    assert main([verb, "-f", "x.yaml"], program="percale") == (2 if verb == "diff" else 1)
    assert capsys.readouterr().err == (
        "x.yaml:1: not UTF-8\n"
        "    save the file as UTF-8\n"
        "failed to execute command: error converting YAML to JSON: yaml: invalid leading UTF-8 octet\n"
    )
