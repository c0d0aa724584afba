"""Types of artifacts, and the annotations that name them."""

from kfp.dsl.types import artifact_types, type_annotations
