"""Scoring of folders, lists and buckets: shards of rows, resumable, on this machine or with Ray or Spark."""
