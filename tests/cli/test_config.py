# SPDX-License-Identifier: Apache-2.0
"""Which datastore a command works on (spec/cli.md section 2)."""

import pytest

from percale.cli import config
from percale.cli.command import CONFIG, GLOBAL_FLAGS, Arguments, CommandFailed, read_arguments
from percale.cli.config import datastore_config

ETCD = {"ETCD_ENDPOINTS": "http://192.0.2.1:2379"}
HEAD = "apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\nmetadata: {}\nspec:\n"


@pytest.fixture(autouse=True)
def no_default_file(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "_DEFAULT_FILE", str(tmp_path / "calicoctl.cfg"))


def configured(*words, **environment):
    arguments = Arguments()
    read_arguments(words, (*GLOBAL_FLAGS, CONFIG), arguments)
    return datastore_config(arguments, environment)


def test_nothing_said():
    """Without any configuration it is the embedded store at its usual place."""
    assert configured() == config.DatastoreConfig("sqlite")


def test_etcd_by_its_endpoints():
    """Endpoints alone choose etcd."""
    chosen = configured(**ETCD)
    assert chosen.type == "etcdv3"
    assert chosen.setting("etcdEndpoints") == "http://192.0.2.1:2379"


def test_kubernetes_by_its_kubeconfig():
    """Without endpoints a cluster's setting chooses Kubernetes."""
    assert configured(KUBECONFIG="/x").type == "kubernetes"


def test_prefixed_variables_win():
    """A variable with Calico's prefix comes before the one without."""
    chosen = configured(**ETCD, CALICO_ETCD_ENDPOINTS="http://192.0.2.2:2379")
    assert chosen.setting("etcdEndpoints") == "http://192.0.2.2:2379"


def test_flag_before_all_else(tmp_path):
    """--datastore wins over file and environment."""
    file = tmp_path / "c.cfg"
    file.write_text(HEAD + "  etcdEndpoints: http://192.0.2.3:2379\n")
    assert configured("--datastore", "x.db", "-c", str(file), **ETCD) == config.DatastoreConfig("sqlite", "x.db")


def test_urls_name_etcd():
    """Where a file could be named, URLs name etcd instead; user and certificates come from Calico's variables."""
    secret = {"ETCD_CA_CERT_FILE": "ca.pem", "ETCD_DISCOVERY_SRV": "example.org"}
    urls = "https://192.0.2.1:2379,https://192.0.2.2:2379"
    expected = {"datastoreType": "etcdv3", "etcdEndpoints": urls, "etcdCACertFile": "ca.pem"}
    for chosen in (configured("--datastore", urls, **secret), configured(PERCALE_DATASTORE=urls, **secret)):
        assert chosen == config.DatastoreConfig("etcdv3", settings=expected)


def test_own_variable_before_calicos():
    """PERCALE_DATASTORE wins over Calico's variables, but not over a file that was named."""
    assert configured(**ETCD, PERCALE_DATASTORE="x.db").type == "sqlite"


def test_file_hides_the_environment(tmp_path):
    """With a file no variable counts, not even one for something that the file does not say."""
    file = tmp_path / "c.cfg"
    file.write_text(HEAD + "  etcdEndpoints: http://192.0.2.3:2379\n")
    chosen = configured("-c", str(file), ETCD_USERNAME="u", PERCALE_DATASTORE="x.db")
    assert dict(chosen.settings) == {"etcdEndpoints": "http://192.0.2.3:2379"}


def test_context():
    """--context names the kubeconfig's context."""
    assert configured("--context", "lab", KUBECONFIG="/x").setting("k8sCurrentContext") == "lab"


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"DATASTORE_TYPE": "etcdv3"}, "no etcd endpoints specified"),
        ({"DATASTORE_TYPE": "EtcdV3"}, "unknown datastore type: EtcdV3"),
        ({**ETCD, "ETCD_KEY_FILE": "k"}, "KeyFile and CertFile must both be present[key: k, cert: ]"),
        ({**ETCD, "ETCD_DISCOVERY_SRV": "example.org"}, "multiple discovery or bootstrap options specified"),
    ],
)
def test_refusals(environment, reason):
    """What cannot work is refused on standard output, as calicoctl does."""
    with pytest.raises(CommandFailed) as failure:
        configured(**environment)
    assert failure.value.on_stdout
    assert failure.value.text.startswith("Failed to create Calico API client: ")
    assert reason in failure.value.text


def test_text_and_file_of_a_certificate(tmp_path):
    """A certificate is given as text or as a file, not both."""
    file = tmp_path / "c.cfg"
    file.write_text(HEAD + "  etcdEndpoints: http://192.0.2.3:2379\n  etcdCert: a\n  etcdCertFile: b\n")
    with pytest.raises(CommandFailed, match="etcdCert and etcdCertFile"):
        configured("-c", str(file))


CONFIG_HEAD = "apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\n"
UNREADABLE = "failed to parse config as YAML/JSON: error unmarshaling JSON: while decoding JSON: json: "


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{CONFIG_HEAD}zoo: 1\nspec: {{}}\nfoo: 1\n", 'unknown field "foo"'),
        (f"{CONFIG_HEAD}spec: {{zoo: 1, foo: 1}}\n", 'unknown field "foo"'),
        (
            f"{CONFIG_HEAD}spec: {{etcdEndpoints: [a]}}\n",
            "cannot unmarshal array into Go struct field CalicoAPIConfigSpec.spec.etcdEndpoints of type string",
        ),
        (
            f"{CONFIG_HEAD}spec: {{k8sInsecureSkipTLSVerify: maybe}}\n",
            "cannot unmarshal string into Go struct field"
            " CalicoAPIConfigSpec.spec.k8sInsecureSkipTLSVerify of type bool",
        ),
        (
            f"{CONFIG_HEAD}spec: {{k8sClientBurst: 1.5}}\n",
            "cannot unmarshal number into Go struct field CalicoAPIConfigSpec.spec.k8sClientBurst of type int",
        ),
        ("text\n", "cannot unmarshal string into Go value of type apiconfig.CalicoAPIConfig"),
        ("[]\n", "cannot unmarshal array into Go value of type apiconfig.CalicoAPIConfig"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, text, reason):
    """The first fault of a file by the order of its members is told in the words of Calico's decoder."""
    path = tmp_path / "c.cfg"
    path.write_text(text)
    with pytest.raises(CommandFailed) as failure:
        configured("-c", str(path))
    assert failure.value.text == f"Failed to create Calico API client: syntax error in {path}: {UNREADABLE}{reason}"


def test_members_of_a_file_in_any_case(tmp_path):
    """Members are found whatever their case, and numbers become texts where a text belongs."""
    path = tmp_path / "c.cfg"
    path.write_text(
        "APIVersion: projectcalico.org/v3\nKind: CalicoAPIConfig\nSpec: {ETCDEndpoints: u, etcdPassword: 010}\n"
    )
    found = configured("-c", str(path))
    assert (found.type, found.setting("etcdEndpoints"), found.setting("etcdPassword")) == ("etcdv3", "u", "8")
