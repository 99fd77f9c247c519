import getpass
import json
import platform

from breastcls.environment import describe_environment


def test_versions_are_given_and_the_machine_is_not_identified():
    environment = describe_environment()
    text = json.dumps(environment)
    assert environment["python"] == platform.python_version()
    assert environment["packages"]["numpy"][0].isdigit()
    assert platform.node() not in text or not platform.node()
    assert f'"{getpass.getuser()}"' not in text
