#!/usr/bin/env python3
"""Walk the service model of Step Functions, as the installed botocore has it.

    python3 walk.py --rejoin PATH-TO-REJOIN

For every operation of the model: it answers, and its answers have the model's shape; every constraint of
its request is refused in AWS's words; and every error that it may give is provoked (`provocations.py`) and has
the error's shape. An operation without an answer, or a pair of operation and error without a provocation,
fails, unless NOT_PROVOKED says why it can't be otherwise.

Starts servers of its own, on the virtual clock, and a stand-in for KMS. The last line is `N passed, M failed`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import botocore.session

import model
import provocations
from checks import Checks

# Pairs of an operation and an error that the model allows and nobody can provoke here, each with its reason.
NOT_PROVOKED = {
    ("CreateStateMachineAlias", "InvalidName"): "the model's pattern for the name of an alias is narrower than what "
    "InvalidName is said of elsewhere, so all that is no name is a ValidationException (recorded on AWS for names "
    "with blanks, of digits alone and too long: test_sfn_api_aliasing.py, test_error_create_alias_invalid_name). What "
    "the pattern lets through, 1 to 80 of A-Z a-z 0-9 _ - . and not digits alone, has nothing in it that InvalidName "
    "is for: blanks, brackets, wildcards, special and control characters",
}


class Kms(BaseHTTPRequestHandler):
    """A stand-in that gives a data key, or refuses as it is told to, key by key."""

    refusals = {}
    # Who asks for this key has to wait.
    held, asked, released = "held", threading.Event(), threading.Event()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["KeyId"] == self.held:
            self.asked.set()
            self.released.wait(60)
        code = self.refusals.get(body["KeyId"])
        answer = {"__type": code, "message": f"{body['KeyId']}: {code}"} if code else {"KeyId": body["KeyId"]}
        text = json.dumps(answer).encode()
        self.send_response(400 if code else 200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.status, self.body = status, body
        self.code = body.get("__type", "")


class Server:
    """A server of our own; `call` asks it, and keeps what it answered for the check of shapes."""

    def __init__(self, rejoin, work, name, config, kms):
        self.answers = []
        path = Path(work) / f"{name}.toml"
        path.write_text(config)
        flags = ["--listen", "127.0.0.1:0", "--clock", "virtual", "--config", str(path)]
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
            "AWS_ENDPOINT_URL_KMS": kms,
            "AWS_ACCESS_KEY_ID": "walk",
            "AWS_SECRET_ACCESS_KEY": "walk",
        }
        self.process = subprocess.Popen(
            [rejoin, "serve", "--data-dir", str(Path(work) / name), *flags],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        said = self.process.stdout.readline()
        if " listens on " not in said:
            raise SystemExit(f"walk.py: the server did not start; it said: {said!r}")
        self.endpoint = said.split()[-1]
        # What it says from now on is read by nobody, and must not fill the pipe.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def post(self, path, headers, body, method="POST"):
        request = urllib.request.Request(
            self.endpoint + path, data=json.dumps(body).encode(), headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return answer.status, json.loads(answer.read()), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read()), error.headers

    def call(self, operation, body):
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AWSStepFunctions.{operation}",
        }
        status, answer, headers = self.post("/", headers, body)
        if headers["Content-Type"] != "application/x-amz-json-1.0" or not headers["x-amzn-RequestId"]:
            raise AssertionError(f"{operation}: the headers are {headers.items()}")
        if status != 200:
            raise Refused(status, answer)
        self.answers.append((operation, answer))
        return answer

    def advance(self, seconds):
        self.post("/rejoin/clock/advance", {}, {"seconds": seconds})


def refusal(call):
    """The error that a call ends with."""
    try:
        answer = call()
    except Refused as refused:
        return refused
    raise AssertionError(f"answered {answer!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rejoin", required=True)
    arguments = parser.parse_args()
    service = botocore.session.get_session().get_service_model("stepfunctions")
    kms = ThreadingHTTPServer(("127.0.0.1", 0), Kms)
    threading.Thread(target=kms.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{kms.server_port}"
    checks, servers = Checks(), []
    with tempfile.TemporaryDirectory() as work:

        def serve(name, config):
            server = Server(arguments.rejoin, work, name, config, address)
            servers.append(server)
            return server

        try:
            walk(service, checks, serve)
        finally:
            for server in servers:
                server.stop()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return checks.failed != 0


def walk(service, checks, serve):
    shapes = {shape.name: shape for shape in service.error_shapes}
    plain = serve("plain", provocations.PLAIN)
    world = provocations.World(plain, serve("tight", provocations.TIGHT), Kms, checks)

    for name in service.operation_names:
        operation = service.operation_model(name)
        told = 0
        with checks.check(f"{name}: every constraint of the model is refused in AWS's words"):
            for at, body, expected in model.violations(operation.input_shape):
                refused = refusal(lambda: plain.call(name, body))
                message = refused.body.get("message", "")
                if refused.code != "ValidationException" or not model.same_message(expected, message):
                    raise AssertionError(f"{at}: expected {expected}, got {refused.code}: {message[:400]}")
                told += 1
        with checks.check(f"{name}: a member of another kind is a SerializationException"):
            for at, body in model.wrong_kinds(operation.input_shape):
                code = refusal(lambda: plain.call(name, body)).code
                if code != "SerializationException":
                    raise AssertionError(f"{at}: {code}")
        for error in operation.error_shapes:
            pair = (name, error.name)
            provoke = world.provocation(*pair)
            if pair in NOT_PROVOKED:
                if provoke is not None:
                    with checks.check(f"{name}: {error.name}"):
                        raise AssertionError("it is provoked and said not to be")
                continue
            with checks.check(f"{name}: {error.name} is provoked"):
                if provoke is None:
                    raise AssertionError("there is no provocation, and no reason why not")
                refused = refusal(provoke)
                if refused.code != error.name:
                    raise AssertionError(f"provoked {refused}")
                wrong = model.error_faults(shapes[error.name], refused.body)
                if wrong or refused.status != 400:
                    raise AssertionError(f"{refused}: {wrong}")

    answered = [answer for server in (world.plain, world.tight) for answer in server.answers]
    for name in service.operation_names:
        output = service.operation_model(name).output_shape
        with checks.check(f"{name} answers, and its answers have the model's shape"):
            answers = [answer for operation, answer in answered if operation == name]
            if not answers:
                raise AssertionError("it never answered")
            for answer in answers:
                wrong = [] if output is None and answer == {} else model.faults(output, answer)
                if wrong:
                    raise AssertionError(f"{wrong[:5]} in {json.dumps(answer)[:600]}")
    with checks.check("an operation that is not in the model is an UnknownOperationException"):
        refused = refusal(lambda: plain.call("MakeCoffee", {}))
        if (refused.status, refused.code) != (404, "UnknownOperationException"):
            raise AssertionError(str(refused))


if __name__ == "__main__":
    sys.exit(main())
