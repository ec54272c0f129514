"""The web page and the REST API: `open_service` and `create_app`; `run.serve` is the whole server."""
