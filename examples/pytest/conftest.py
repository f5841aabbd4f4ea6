"""A Rejoin on the virtual clock for each run of the tests, and boto3 pointed at it."""

import json
import os
import re
import subprocess
import urllib.error
import urllib.request

import boto3
import pytest


class Refused(Exception):
    """The clock could not do it; `said` is why, in its own words."""

    def __init__(self, said):
        super().__init__(f"{said['message']}; {said['hint']}")
        self.said = said


class Clock:
    """The server's clock: POST /rejoin/clock/..."""

    def __init__(self, url):
        self.url = url

    def post(self, order, **body):
        request = urllib.request.Request(f"{self.url}/rejoin/clock/{order}", json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            raise Refused(json.load(refusal)) from None

    def advance(self, seconds):
        return self.post("advance", seconds=seconds)

    def until_ended(self, execution):
        return self.post("until-ended", executionArn=execution)


@pytest.fixture(scope="session")
def rejoin():
    """Where a server of its own listens: in memory, on a free port, its time standing until it is moved."""
    program = os.environ.get("REJOIN", "rejoin")
    arguments = ["serve", "--clock", "virtual", "--in-memory", "--listen", "127.0.0.1:0"]
    with subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True) as server:
        try:
            first = server.stdout.readline()
            url = re.search(r"http://\S+", first)
            assert url, f"the server did not start: {first!r}"
            yield url[0]
        finally:
            server.terminate()


@pytest.fixture
def clock(rejoin):
    return Clock(rejoin)


@pytest.fixture
def sfn(rejoin):
    return boto3.client(
        "stepfunctions",
        endpoint_url=rejoin,
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
