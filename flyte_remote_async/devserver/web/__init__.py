"""The devserver's HTTP port: signed URLs, an S3 face of its bucket, logs, and a page."""
