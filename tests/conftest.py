# SPDX-License-Identifier: MIT
"""What every suite shares: the options, and machines to run things in (tests/guest.py)."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))


def pytest_addoption(parser):
    parser.addoption("--kernels", default="aramid", metavar="LIST",
                     help="kernels to test, e.g. linux,aramid: what a test expects must hold on "
                     "Linux first (default: aramid)")
    parser.addoption("--long", action="store_true", help="also the tests that take very long")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes very long; runs with --long only")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="takes very long; runs with --long")
    for item in items:
        if "long" in item.keywords:
            item.add_marker(skip)
