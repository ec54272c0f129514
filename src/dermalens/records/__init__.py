"""The record: kept cases, lesions, feedback, batch jobs, keys and an audit log, in SQLite or PostgreSQL."""
