"""Lodestep: Kubeflow Pipelines without the cluster.

Nothing is imported here: `import lodestep` must cost no more than the interpreter itself.
"""

__version__ = "0.1.0"
