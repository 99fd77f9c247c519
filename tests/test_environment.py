import getpass
import json
import platform

from breastcls import environment as environment_module
from breastcls.environment import describe_environment


def test_versions_are_given_and_the_machine_is_not_identified():
    environment = describe_environment()
    text = json.dumps(environment)
    assert environment["python"] == platform.python_version()
    assert environment["packages"]["numpy"][0].isdigit()
    assert platform.node() not in text or not platform.node()
    assert f'"{getpass.getuser()}"' not in text


def test_tensorflow_without_gpu_code_counts_as_tensorflow(monkeypatch):
    def find(package):
        if package == "tensorflow-cpu":
            return "2.21.0"
        raise environment_module.PackageNotFoundError(package)

    monkeypatch.setattr(environment_module, "version", find)
    packages = describe_environment()["packages"]
    assert (packages["tensorflow"], packages["keras"]) == ("2.21.0", "not installed")


def test_the_switch_of_onednn_is_recorded(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert describe_environment()["onednn"] == "0"
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    assert describe_environment()["onednn"] == "default"
