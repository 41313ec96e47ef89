"""The examples in docstrings are true, in every room."""

import doctest
import importlib
import pkgutil

import pytest

import shouhao

_ELSEWHERE = (
    "shouhao.store.migrations",
    "shouhao.cli",
    "shouhao.web.console",
    "shouhao.detect.spark",  # needs an extra
)
NAMES = [
    module.name
    for module in pkgutil.walk_packages(shouhao.__path__, "shouhao.")
    if not module.name.startswith(_ELSEWHERE)
]


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_module_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples_to_test():
    modules = [importlib.import_module(name) for name in NAMES]
    found = sum(bool(test.examples) for module in modules for test in doctest.DocTestFinder().find(module))
    assert found >= 5
