"""Make a golden: `python make.py > kfp-VERSION.json`, by an interpreter that has that release of `kfp`.

Each entry is the launch command of a component (command and arguments) as that release compiles it, by the name of the
case. Cases that a release does not know are left out.
"""

import inspect
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

warnings.simplefilter("ignore")

import kfp  # noqa: E402 - silent
import yaml  # noqa: E402
from kfp import compiler, dsl  # noqa: E402

INDEX = "https://user:secret@packages.example/simple"
MORE = "https://more.example:8443/simple"
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "one_package": {"packages_to_install": ["pandas==2.2.0"]},
    "marker": {"packages_to_install": ["tomli>=2; python_version < '3.11'", 'six; extra == "a"']},
    "extras": {
        "packages_to_install": ["dask[array,dataframe]>=2024.1,<2025", "git+https://example.org/a.git@main#egg=a"]
    },
    "one_index": {"packages_to_install": ["pandas"], "pip_index_urls": [INDEX]},
    "two_indexes": {"packages_to_install": ["pandas"], "pip_index_urls": [INDEX, MORE]},
    "index_alone": {"pip_index_urls": [INDEX]},
    "trusted": {"packages_to_install": ["pandas"], "pip_index_urls": [MORE], "pip_trusted_hosts": ["more.example"]},
    "trusts_none": {"packages_to_install": ["pandas"], "pip_index_urls": [MORE], "pip_trusted_hosts": []},
    "no_sdk": {"install_kfp_package": False},
    "no_sdk_package": {"install_kfp_package": False, "packages_to_install": ["pandas"]},
    "sdk_path": {"kfp_package_path": "git+https://github.com/kubeflow/pipelines.git@1.8#subdirectory=sdk/python"},
    "sdk_path_package": {"kfp_package_path": "kfp==2.0.0", "packages_to_install": ["pandas"]},
    "sdk_pull": {
        "kfp_package_path": "git+https://github.com/kubeflow/pipelines.git@refs/pull/1/merge#subdirectory=sdk/python"
    },
    "user_sdk": {"packages_to_install": ["kfp==2.3.0"]},
    "user_sdk_and_more": {"packages_to_install": ["kfp", "pandas"]},
    "kubernetes": {"packages_to_install": ["kfp-kubernetes"]},
    "options": {"packages_to_install": ["--pre", "--extra-index-url", MORE, "torch"]},
    "use_venv": {"use_venv": True},
    "use_venv_package": {"use_venv": True, "packages_to_install": ["pandas"], "pip_index_urls": [MORE]},
    "in_image": {"target_image": "example/in-image:1"},
    "in_image_package": {"target_image": "example/in-image:1", "packages_to_install": ["pandas"]},
    "embedded": {"embedded_artifact_path": "DATA"},
    "helped": {"additional_funcs": "HELPER"},
}


def helper(text: str) -> str:
    return text.upper()


def shout(text: str, times: int = 1) -> str:
    return text * times


def nb(text: str):
    dsl.run_notebook(text=text)


def argv(component: Any) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "component.yaml")
        compiler.Compiler().compile(component, path)
        with open(path) as file:
            document = next(yaml.safe_load_all(file))
    (executor,) = document["deploymentSpec"]["executors"].values()
    container = executor["container"]
    return [*container["command"], *container["args"]]


def known(function: Callable[..., Any], options: dict[str, Any]) -> bool:
    return set(options) <= set(inspect.signature(function).parameters)


def notebook(folder: str) -> dict[str, Any]:
    path = os.path.join(folder, "nb.ipynb")
    cell = {"cell_type": "code", "metadata": {}, "source": ["print(text)"], "outputs": [], "execution_count": None}
    with open(path, "w") as file:
        json.dump({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, file)
    return {"notebook_path": path}


def main() -> None:
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "data.txt")
        with open(data, "w") as file:
            file.write("embedded")
        for name, case in CASES.items():
            options = dict(case)
            if known(dsl.component, options):
                if "embedded_artifact_path" in options:
                    options["embedded_artifact_path"] = data
                if "additional_funcs" in options:
                    options["additional_funcs"] = [helper]
                found[name] = argv(dsl.component(base_image="python:3.11", **options)(shout))
        if hasattr(dsl, "notebook_component"):
            options = notebook(folder)
            found["notebook"] = argv(dsl.notebook_component(base_image="python:3.11", **options)(nb))
            found["notebook_bare"] = argv(
                dsl.notebook_component(base_image="python:3.11", packages_to_install=[], **options)(nb)
            )
    json.dump({"kfp": kfp.__version__, "commands": found}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
