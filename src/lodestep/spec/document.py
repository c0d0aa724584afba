"""A pipeline file, read and checked: its two documents as structs, and the bytes that stand for it everywhere else."""

import msgspec

from lodestep.spec.ir import PipelineSpec, PlatformSpec


class PipelineDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`canonical` is the canonical JSON of `{"pipeline_spec": …, "platform_spec": …}` with exactly the fields of the
    source; `digest` its sha256. `wire` is the JSON that the REST API answers as `pipeline_spec`."""

    spec: PipelineSpec
    platform: PlatformSpec | None
    canonical: bytes
    digest: str
    wire: bytes

    @property
    def name(self) -> str:
        return self.spec.pipeline_info.name

    @property
    def display_name(self) -> str:
        return self.spec.pipeline_info.display_name

    @property
    def description(self) -> str:
        return self.spec.pipeline_info.description
