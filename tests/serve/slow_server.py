"""A server whose images take half a second each, for the tests that stop it: python -m tests.serve.slow_server."""

import sys
import time
from dataclasses import replace
from pathlib import Path

from dermalens.core.errors import DermaLensError
from dermalens.serve.run import serve
from dermalens.serve.service import open_service
from dermalens.serve.settings import read_settings

SECONDS = 0.5


class Slow:
    """A classifier that takes its time, and writes down that it began."""

    def __init__(self, classifier, begun: Path):
        self._classifier = classifier
        self._begun = begun

    def __getattr__(self, name):
        return getattr(self._classifier, name)

    def read(self, image, asked):
        with self._begun.open("a") as stream:
            stream.write("begun\n")
        time.sleep(SECONDS)
        return self._classifier.read(image, asked)


def opened(settings):
    service = open_service(settings)
    begun = settings.data_folder / "begun"
    return replace(service, classifiers=tuple(Slow(one, begun) for one in service.classifiers))


if __name__ == "__main__":
    try:
        serve(read_settings(), opened=opened)
    except DermaLensError as error:
        sys.exit(str(error))
