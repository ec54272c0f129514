"""What a server works with: the settings, a classifier for each core, the records and the gallery."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dermalens.core.errors import DermaLensError
from dermalens.predict.classifier import Classifier, load
from dermalens.predict.similar import CaseGallery
from dermalens.predict.similar_file import read_gallery
from dermalens.serve.settings import Settings

if TYPE_CHECKING:
    from dermalens.records.store import Records


@dataclass(frozen=True, slots=True)
class Service:
    """Opened once; `create_app` makes an application of it."""

    settings: Settings
    classifiers: tuple[Classifier, ...]
    """One for each worker thread, all of the same bundle."""
    records: Records | None = None
    """None where this server keeps nothing: then there is no history, no batch and no key."""
    gallery: CaseGallery | None = None

    @property
    def classifier(self) -> Classifier:
        """Any of them, to ask what the bundle is and has."""
        return self.classifiers[0]


def open_service(settings: Settings) -> Service:
    """Load the bundle for each worker, the gallery and the records.

    Raises:
        DermaLensError: one of them cannot be used, the gallery is of another bundle, or the data folder is not that of
            the images that the database knows.
    """
    classifiers = tuple(load(settings.bundle) for _ in range(settings.workers))
    if settings.default_prevalence is not None and classifiers[0].manifest.prevalence is None:
        raise DermaLensError(
            "The setting default_prevalence needs a bundle that says for which malignant share it was calibrated; this "
            "one does not. Add it with dermalens equip, or remove DERMALENS_DEFAULT_PREVALENCE."
        )
    gallery = read_gallery(settings.gallery) if settings.gallery else None
    if gallery is not None:
        gallery.check_made_with(classifiers[0].manifest)
    return Service(settings, classifiers, _open_records(settings), gallery)


def close_service(service: Service) -> None:
    """Close the records; the classifiers need no closing."""
    if service.records is not None:
        from dermalens.records.store import close

        close(service.records)


def _open_records(settings: Settings) -> Records | None:
    if not settings.records:
        return None
    from dermalens.records.own import refuse_wrong_folder
    from dermalens.records.store import close, open_records

    with ExitStack() as if_it_fails:
        records = open_records(settings.database_url, settings.data_folder)
        if_it_fails.callback(close, records)
        refuse_wrong_folder(records)
        if_it_fails.pop_all()
    return records
