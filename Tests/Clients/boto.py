"""boto3 clients for the tests: the settings of a user who changed nothing but the endpoint."""

import boto3
from botocore.config import Config

from harness.server import ACCESS_KEY, REGION, SECRET_KEY


def client(server, style="path", access_key=ACCESS_KEY, secret_key=SECRET_KEY, endpoint=None,
           region=REGION, **settings):
    return boto3.client(
        "s3",
        endpoint_url=endpoint or server.endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
        verify=str(server.tls[2]) if server.tls else None,
        config=Config(
            s3={"addressing_style": style}, retries={"total_max_attempts": 1},
            read_timeout=60, **settings),
    )
