"""The classes of artifacts that components get and make."""

import os
from urllib.parse import unquote, urlsplit

# The folder that this task's artifacts go to; set before the function is called.
CONTAINER_TASK_ROOT = None

_MOUNTS = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"}
_IMAGES = "oci://"
_IMAGE_MOUNT = "/oci/"
_IN_IMAGE = "/models"
_WORKSPACE = "/kfp-workspace/.artifacts"


def _local(uri):
    """Where the content of a URI is found in a step; a URI that has no place there as it is."""
    for scheme, mount in _MOUNTS.items():
        if uri.startswith(scheme):
            return mount + uri[len(scheme) :]
    if uri.startswith(_IMAGES):
        return _IMAGE_MOUNT + uri[len(_IMAGES) :].replace("/", "_")
    if uri.startswith("file://"):
        return unquote(urlsplit(uri).path)
    return uri


def _remote(path):
    """The URI of a place in a step: the reverse of `_local`."""
    for scheme, mount in _MOUNTS.items():
        if path.startswith(mount):
            return scheme + path[len(mount) :]
    if path.startswith(_IMAGE_MOUNT):
        name = path[len(_IMAGE_MOUNT) :].replace("_", "/")
        return _IMAGES + (name[: -len(_IN_IMAGE)] if name.endswith(_IN_IMAGE) else name)
    return path


class Artifact:
    """Bytes somewhere, with a type and metadata."""

    schema_title = "system.Artifact"
    schema_version = "0.0.1"

    def __init__(self, name=None, uri=None, metadata=None):
        self.uri = uri or ""
        self.name = name or ""
        self.metadata = metadata or {}
        self._custom_path = ""

    @property
    def path(self):
        return self._get_path()

    @path.setter
    def path(self, path):
        self.uri = _remote(path)

    def _get_path(self):  # by this name, artifact classes of others ask for it
        path = self._custom_path or _local(self.uri)
        if self.metadata.get("_kfp_workspace") is True:
            return os.path.join(_WORKSPACE, path.lstrip("/"))
        return path

    @property
    def custom_path(self):
        return self._custom_path

    @custom_path.setter
    def custom_path(self, path):
        self._custom_path = path

    def set_path(self, path):
        """Have the content taken from another place than the one that was given."""
        self._custom_path = path

    def __repr__(self):
        return "%s(name=%r, uri=%r)" % (type(self).__name__, self.name, self.uri)


class Model(Artifact):
    schema_title = "system.Model"

    @property
    def framework(self):
        return self.metadata.get("framework", "")

    @framework.setter
    def framework(self, framework):
        self.metadata["framework"] = framework

    @property
    def path(self):
        return self._get_path() + (_IN_IMAGE if self.uri.startswith(_IMAGES) else "")

    @path.setter
    def path(self, path):
        Artifact.path.fset(self, path)


class Dataset(Artifact):
    schema_title = "system.Dataset"


class HTML(Artifact):
    schema_title = "system.HTML"


class Markdown(Artifact):
    schema_title = "system.Markdown"


class Metrics(Artifact):
    """Scalars by name."""

    schema_title = "system.Metrics"

    def log_metric(self, metric, value):
        self.metadata[metric] = value


class _Confusion:
    """A confusion matrix in the making: categories, and a row of counts for each."""

    def __init__(self):
        self.categories = []
        self.rows = []

    def set_categories(self, categories):
        self.categories = list(categories)
        self.rows = [{"row": [0] * len(self.categories)} for _ in self.categories]

    def index(self, category):
        if category not in self.categories:
            raise ValueError("invalid category %r: expected one of %s" % (category, self.categories))
        return self.categories.index(category)

    def set_row(self, category, row):
        if len(row) != len(self.categories):
            raise ValueError("invalid row: expected %d values, got %d" % (len(self.categories), len(row)))
        self.rows[self.index(category)] = {"row": list(row)}

    def set_cell(self, row, column, value):
        self.rows[self.index(row)]["row"][self.index(column)] = value

    def set_all(self, categories, matrix):
        self.set_categories(categories)
        if len(matrix) != len(self.categories):
            raise ValueError("invalid matrix: expected %d rows, got %d" % (len(self.categories), len(matrix)))
        for category, row in zip(categories, matrix):
            self.set_row(category, row)

    def document(self):
        return {"annotationSpecs": [{"displayName": each} for each in self.categories], "rows": self.rows}


class ClassificationMetrics(Artifact):
    """A ROC curve and a confusion matrix."""

    schema_title = "system.ClassificationMetrics"

    def log_roc_data_point(self, fpr, tpr, threshold):
        point = {"confidenceThreshold": threshold, "recall": tpr, "falsePositiveRate": fpr}
        self.metadata.setdefault("confidenceMetrics", []).append(point)

    def log_roc_curve(self, fpr, tpr, threshold):
        if not len(fpr) == len(tpr) == len(threshold):
            raise ValueError(
                "fpr, tpr and threshold must be of one length: got %d, %d and %d" % (len(fpr), len(tpr), len(threshold))
            )
        for point in zip(fpr, tpr, threshold):
            self.log_roc_data_point(*point)

    def set_confusion_matrix_categories(self, categories):
        self._matrix = _Confusion()
        self._matrix.set_categories(categories)
        self._show()

    def log_confusion_matrix_row(self, row_category, row):
        self._confusion().set_row(row_category, row)
        self._show()

    def log_confusion_matrix_cell(self, row_category, col_category, value):
        self._confusion().set_cell(row_category, col_category, value)
        self._show()

    def log_confusion_matrix(self, categories, matrix):
        self._matrix = _Confusion()
        self._matrix.set_all(categories, matrix)
        self._show()

    def _confusion(self):
        if not hasattr(self, "_matrix"):
            raise ValueError("set the categories first: set_confusion_matrix_categories([...])")
        return self._matrix

    def _show(self):
        self.metadata["confusionMatrix"] = self._matrix.document()


class SlicedClassificationMetrics(Artifact):
    """Classification metrics for each slice of the data."""

    schema_title = "system.SlicedClassificationMetrics"

    def _slice(self, name):
        if not hasattr(self, "_slices"):
            self._slices = {}
        if name not in self._slices:
            self._slices[name] = ClassificationMetrics()
        return self._slices[name]

    def _show(self):
        self.metadata["evaluationSlices"] = [
            {"slice": name, "sliceClassificationMetrics": metrics.metadata} for name, metrics in self._slices.items()
        ]

    def log_roc_reading(self, slice, threshold, tpr, fpr):
        self._slice(slice).log_roc_data_point(fpr, tpr, threshold)
        self._show()

    def load_roc_readings(self, slice, readings):
        """`readings` is a list of [threshold, tpr, fpr]."""
        for threshold, tpr, fpr in readings:
            self._slice(slice).log_roc_data_point(fpr, tpr, threshold)
        self._show()

    def set_confusion_matrix_categories(self, slice, categories):
        self._slice(slice).set_confusion_matrix_categories(categories)
        self._show()

    def log_confusion_matrix_row(self, slice, row_category, row):
        self._slice(slice).log_confusion_matrix_row(row_category, row)
        self._show()

    def log_confusion_matrix_cell(self, slice, row_category, col_category, value):
        self._slice(slice).log_confusion_matrix_cell(row_category, col_category, value)
        self._show()

    def load_confusion_matrix(self, slice, categories, matrix):
        self._slice(slice).log_confusion_matrix(categories, matrix)
        self._show()


BY_TITLE = {
    kind.schema_title: kind
    for kind in (
        Artifact,
        Model,
        Dataset,
        HTML,
        Markdown,
        Metrics,
        ClassificationMetrics,
        SlicedClassificationMetrics,
    )
}


def get_uri(suffix="Output"):
    """A URI below this task's root, for an artifact that the component returns."""
    if CONTAINER_TASK_ROOT is None:
        raise RuntimeError("dsl.get_uri() works inside a step alone: where this one's outputs go is not known here")
    return os.path.join(_remote(CONTAINER_TASK_ROOT), suffix)
