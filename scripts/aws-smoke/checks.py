"""What the parts of the smoke test share: checks that are counted, and the AWS CLI."""

import contextlib
import json
import os
import subprocess

REGION = "us-east-1"
# The AWS CLI takes seconds to start on a busy machine, and a long poll may be part of what it does.
CLI_SECONDS_MAX = 90


class Checks:
    """What was looked at, and what came of it."""

    def __init__(self):
        self.passed = self.failed = 0

    @contextlib.contextmanager
    def check(self, what):
        try:
            yield
        except Exception as problem:  # a check that trips over anything has failed
            self.failed += 1
            text = " ".join(str(problem).split()) or type(problem).__name__
            print(f"FAIL  {what}: {text[:400]}", flush=True)
        else:
            self.passed += 1
            print(f"ok    {what}", flush=True)


def same(found, expected):
    if found != expected:
        raise AssertionError(f"found {found!r}, expected {expected!r}")


class CommandLine:
    """The AWS CLI, at one server."""

    def __init__(self, aws, endpoint):
        self.command = [aws, "stepfunctions"]
        self.options = ["--endpoint-url", endpoint, "--output", "json"]
        self.environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "smoke",
            "AWS_SECRET_ACCESS_KEY": "smoke",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def __call__(self, *arguments):
        """What the operation answers."""
        done = self.run(arguments)
        if done.returncode:
            raise AssertionError(done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def refusal(self, *arguments):
        """What it says of an operation that is refused."""
        done = self.run(arguments)
        same(done.returncode != 0, True)
        return done.stderr

    def run(self, arguments):
        return subprocess.run(
            [*self.command, *arguments, *self.options],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=CLI_SECONDS_MAX,
            check=False,
        )
