"""A bare S3 client over http.client: one connection, every byte of the request in the test's hand."""

import http.client
import re
import ssl
import xml.etree.ElementTree as ElementTree

from .signing import UNSIGNED, canonical_query, encode_key


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def code(self):
        """The S3 error code in the body, if there is one."""
        match = re.search(rb"<Code>([^<]+)</Code>", self.body)
        return match.group(1).decode() if match else None

    @property
    def xml(self):
        return ElementTree.fromstring(re.sub(rb' xmlns="[^"]*"', b"", self.body))


class Client:
    """Path-style requests to one endpoint. Not for use by two threads at once."""

    def __init__(self, host, port, credentials, tls_authority=None, timeout=60):
        self.host = f"{host}:{port}"
        self.credentials = credentials
        if tls_authority:
            context = ssl.create_default_context(cafile=str(tls_authority))
            self.connection = http.client.HTTPSConnection(
                host, port, timeout=timeout, context=context)
        else:
            self.connection = http.client.HTTPConnection(host, port, timeout=timeout)

    def request(self, method, bucket="", key=None, query=(), headers=None, body=b"",
                payload_hash=UNSIGNED, date=None, credentials=None, signed=True):
        path = "/" + bucket + ("" if key is None else "/" + encode_key(key))
        headers = {name.lower(): value for name, value in (headers or {}).items()}
        headers["host"] = self.host
        if signed:
            signer = credentials or self.credentials
            headers = signer.sign(method, path, query, headers, payload_hash, date)
        if body or method in ("PUT", "POST"):
            headers.setdefault("content-length", str(len(body)))
        return self.send(method, path, canonical_query(query), headers, body)

    def send(self, method, path, query, headers, body):
        target = path + (f"?{query}" if query else "")
        try:
            self.connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                self.connection.putheader(name, value)
            self.connection.endheaders()
            if body:
                self.connection.send(body)
            response = self.connection.getresponse()
            return Response(response.status, dict_of(response), response.read())
        except BaseException:
            self.connection.close()
            raise

    def close(self):
        self.connection.close()


def dict_of(response):
    return {name.lower(): value for name, value in response.getheaders()}
