"""What a batch run says when it cannot begin or go on."""

from __future__ import annotations

from dermalens.core.errors import DermaLensError


class BatchError(DermaLensError):
    """A source, an output or a worker that a run cannot use; the shards that are finished stay."""
