"""The gateway in front of moto's Step Functions."""

import argparse
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid

import boto3

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "aws-smoke"))
from checks import Checks, same  # noqa: E402

PATIENCE_SECONDS = 60
REGION = "eu-west-1"
# moto's own account, and any credentials: it looks at none.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto"}
# How long the task of the late callback waits, of real time.
TIMEOUT_SECONDS = 2

CONFIGURATION = """
[engines.moto]
endpoint_url = "{url}"
region = "eu-west-1"

[topics.alerts]

[[routes]]
name = "valuation"
path = "/callbacks/valuation"
reference = "$.ref"
engine = "moto"
topic = "alerts"
[routes.verify]
scheme = "none"
[routes.failure]
when = "$.failed"
error = "ValuationFailed"
cause = "$.reason"
"""


def eventually(what, of):
    """The first result of `of` that is true."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        found = of()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen within {PATIENCE_SECONDS} s")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def ask(url, method="GET", body=None):
    """The status and the JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


class Process:
    """A program that ends with this one."""

    def __init__(self, command, log):
        self.log = log.open("ab")
        environment = {**os.environ, **CREDENTIALS, "AWS_DEFAULT_REGION": REGION}
        self.process = subprocess.Popen(
            command, stdout=self.log, stderr=subprocess.STDOUT, env=environment
        )

    def alive(self):
        if self.process.poll() is not None:
            raise SystemExit(f"{self.process.args[0]} ended:\n{pathlib.Path(self.log.name).read_text()}")
        return True

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait()
        self.log.close()


class Moto(Process):
    """moto's server, with its interpreter on."""

    def __init__(self, work):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # Not `moto_server`: that has the path of the interpreter it was installed with.
        program = "from moto.server import main; main()"
        arguments = ["-H", "127.0.0.1", "-p", str(self.port)]
        super().__init__([sys.executable, "-c", program, *arguments], work / "moto.log")
        eventually("moto's start", self.listens)
        settings = {"stepfunctions": {"execute_state_machine": True}}
        same(ask(f"{self.url}/moto-api/config", "POST", settings)[0], 201)
        place = {
            "endpoint_url": self.url,
            "region_name": REGION,
            "aws_access_key_id": "moto",
            "aws_secret_access_key": "moto",
        }
        self.sfn = boto3.client("stepfunctions", **place)
        self.sqs = boto3.client("sqs", **place)
        self.queue = self.sqs.create_queue(QueueName="requests")["QueueUrl"]
        self.machine = self.make("Loans", 600)
        self.hasty = self.make("Hasty", TIMEOUT_SECONDS)

    def listens(self):
        with socket.socket() as probe:
            return self.alive() and probe.connect_ex(("127.0.0.1", self.port)) == 0

    def make(self, name, timeout):
        definition = {
            "StartAt": "RequestValuation",
            "States": {
                "RequestValuation": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                    "TimeoutSeconds": timeout,
                    "HeartbeatSeconds": timeout - 1,  # it has to be smaller
                    "Parameters": {
                        "QueueUrl": self.queue,
                        "MessageBody": {"token.$": "$$.Task.Token"},
                    },
                    "End": True,
                }
            },
        }
        made = self.sfn.create_state_machine(
            name=name,
            definition=json.dumps(definition),
            roleArn="arn:aws:iam::123456789012:role/any",
        )
        return made["stateMachineArn"]

    def waits(self, machine=None):
        """Starts an execution; its ARN, and the token that it waits with."""
        # moto gives an execution without a name the name None, and the next one too.
        started = self.sfn.start_execution(
            stateMachineArn=machine or self.machine, name=f"run-{uuid.uuid4()}", input="{}"
        )

        def message():
            found = self.sqs.receive_message(QueueUrl=self.queue).get("Messages", [])
            return found and found[0]

        request = eventually("the task's request", message)
        self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=request["ReceiptHandle"])
        return started["executionArn"], json.loads(request["Body"])["token"]

    def ended(self, execution):
        def look():
            found = self.sfn.describe_execution(executionArn=execution)
            return found["status"] != "RUNNING" and found

        return eventually("the execution's end", look)


class Gateway(Process):
    """`rejoin gateway` on a data directory."""

    def __init__(self, program, config, data, work):
        output = work / f"gateway-{time.monotonic_ns()}.log"
        flags = ["--listen", "127.0.0.1:0", "--config", str(config), "--data-dir", str(data)]
        super().__init__([program, "gateway", *flags], output)

        def address():
            self.alive()
            return re.search(r"http://127\.0\.0\.1:\d+", output.read_text())

        self.url = eventually("the gateway's start", address)[0]

    def register(self, reference, token, **more):
        url = f"{self.url}/rejoin/references/valuation/{reference}"
        return ask(url, "PUT", {"taskToken": token, **more})

    def call_back(self, body):
        status, said = ask(f"{self.url}/callbacks/valuation", "POST", body)
        return status, said["disposition"]

    def delivery(self, reference):
        """The last delivery with this reference."""
        _, said = ask(f"{self.url}/rejoin/deliveries?reference={reference}")
        return said["deliveries"][0]

    def engine(self):
        return ask(f"{self.url}/rejoin/engines")[1]["engines"][0]


def in_front(checks, moto, gateway):
    with checks.check("a success becomes the execution's output"):
        execution, token = moto.waits()
        same(gateway.register("V-1", token, executionArn=execution, stateName="RequestValuation")[0], 200)
        same(gateway.call_back({"ref": "V-1", "value": 250_000}), (200, "delivered"))
        ended = moto.ended(execution)
        same(ended["status"], "SUCCEEDED")
        same(json.loads(ended["output"]), {"ref": "V-1", "value": 250_000})

    with checks.check("an identical and a contradicting repeat are told apart, and change nothing"):
        same(gateway.call_back({"ref": "V-1", "value": 250_000}), (200, "duplicate-identical"))
        same(gateway.call_back({"ref": "V-1", "value": 1}), (409, "duplicate-contradicting"))

    with checks.check("a failure becomes the execution's error"):
        execution, token = moto.waits()
        gateway.register("V-2", token, executionArn=execution)
        answer = {"ref": "V-2", "failed": True, "reason": "no such house"}
        same(gateway.call_back(answer), (200, "delivered-as-failure"))
        ended = moto.ended(execution)
        # moto does not hand the cause on to its interpreter; a Rejoin as the engine is tested in Rust.
        same((ended["status"], ended["error"]), ("FAILED", "ValuationFailed"))

    with checks.check("a late callback is late, and says by how much"):
        execution, token = moto.waits(moto.hasty)
        gateway.register("V-3", token, executionArn=execution, stateName="RequestValuation", timeoutSeconds=TIMEOUT_SECONDS)
        same(moto.ended(execution)["status"], "FAILED")
        same(gateway.call_back({"ref": "V-3"}), (410, "late-timed-out"))
        found = gateway.delivery("V-3")
        same(found["executionArn"], execution)
        if not re.search(r"had (timed out|gone without)", found["note"]):
            raise AssertionError(found["note"])

    with checks.check("one whose wait somebody else has answered is late, too"):
        execution, token = moto.waits()
        gateway.register("V-4", token, executionArn=execution)
        moto.sfn.send_task_success(taskToken=token, output='{"by": "hand"}')
        moto.ended(execution)
        same(gateway.call_back({"ref": "V-4"}), (410, "late-ended"))

    with checks.check("an early callback is kept and delivered when its reference is registered"):
        same(gateway.call_back({"ref": "V-5", "value": 5}), (202, "early"))
        execution, token = moto.waits()
        same(gateway.register("V-5", token)[1]["early"]["disposition"], "delivered")
        same(moto.ended(execution)["status"], "SUCCEEDED")

    with checks.check("a reference that nobody has registered reaches nobody"):
        same(gateway.call_back({"ref": "nobody"}), (202, "early"))

    with checks.check("a token that moto does not know is said to be wrong"):
        gateway.register("V-6", "not-a-token")
        same(gateway.call_back({"ref": "V-6"}), (202, "undeliverable"))
        if "InvalidToken" not in gateway.delivery("V-6")["note"]:
            raise AssertionError(gateway.delivery("V-6")["note"])

    with checks.check("alerts name the execution"):
        # `late-timed-out` and the others; plain deliveries do not alert.
        def heard():
            _, said = ask(f"{gateway.url}/rejoin/alerts")
            text = json.dumps(said)
            return "late-timed-out" in text and "duplicate-contradicting" in text

        eventually("the alerts", heard)


def killed(checks, moto, program, config, data, work, gateway):
    """moto does not answer, and the gateway dies: what it has acknowledged is delivered all the same."""
    execution, token = moto.waits()
    gateway.register("V-7", token, executionArn=execution)
    # Stopped, not ended: its executions are in its memory.
    moto.process.send_signal(signal.SIGSTOP)
    try:
        with checks.check("while moto hangs a callback is stored and acknowledged"):
            same(gateway.call_back({"ref": "V-7", "value": 7}), (202, "undeliverable"))
            same(gateway.engine()["queued"], 1)
        gateway.end(signal.SIGKILL)
    finally:
        moto.process.send_signal(signal.SIGCONT)
    gateway = Gateway(program, config, data, work)
    with checks.check("after kill -9 and a restart it is delivered, once"):
        same(moto.ended(execution)["status"], "SUCCEEDED")
        eventually("an empty queue", lambda: gateway.engine()["queued"] == 0)
        eventually("its disposition", lambda: gateway.delivery("V-7")["disposition"] == "delivered")
        same(gateway.engine()["breaker"], "closed")
    with checks.check("SIGTERM ends it cleanly"):
        gateway.end()
        same(gateway.process.returncode, 0)
    return gateway


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rejoin", required=True)
    program = parser.parse_args().rejoin
    checks = Checks()
    started = []
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        try:
            moto = Moto(work)
            started.append(moto)
            config = work / "rejoin.toml"
            config.write_text(CONFIGURATION.format(url=moto.url))
            gateway = Gateway(program, config, work / "data", work)
            started.append(gateway)
            in_front(checks, moto, gateway)
            started.append(killed(checks, moto, program, config, work / "data", work, gateway))
        finally:
            for process in reversed(started):
                process.end()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
