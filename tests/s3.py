"""A real S3 server on loopback, for tests of what lies in a bucket."""

from collections.abc import Iterator
from contextlib import contextmanager

import obstore
import requests
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

BUCKET, PREFIX = "wheels", "free-threaded"
URL = f"s3://{BUCKET}/{PREFIX}"
SECRET = "a-secret-that-nobody-may-see"


@contextmanager
def serving() -> Iterator[str]:
    """The address of a server that has an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        requests.put(f"http://{host}:{port}/{BUCKET}", timeout=30).raise_for_status()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def credentials(endpoint: str) -> dict[str, str]:
    """The environment of who may read and write the bucket at an address."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "reader",
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }


def bucket(endpoint: str) -> S3Store:
    """The bucket, as somebody who looks into it by hand sees it."""
    return S3Store(
        BUCKET,
        prefix=PREFIX,
        endpoint=endpoint,
        region="us-east-1",
        access_key_id="reader",
        secret_access_key=SECRET,
        client_options={"allow_http": True},
    )


def objects(bucket: S3Store) -> dict[str, bytes]:
    """All that lies in a bucket."""
    paths = [one["path"] for page in obstore.list(bucket) for one in page]
    return {path: bytes(obstore.get(bucket, path).bytes()) for path in paths}
