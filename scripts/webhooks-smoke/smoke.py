"""Other people's libraries against a server of its own, both ways."""

import argparse
import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone

import stripe
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from slack_sdk.signature import SignatureVerifier
from standardwebhooks.webhooks import Webhook

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "aws-smoke"))
from checks import Checks, same  # noqa: E402

PATIENCE_SECONDS = 30

STANDARD = "whsec_" + base64.b64encode(b"a secret of twenty-four.").decode()
STANDARD_OLD = "whsec_" + base64.b64encode(b"the one before that one.").decode()
STRIPE = "whsec_stripes_own_secret"
SLACK = "8f742231b10e8888abcd99yyyzzz85a5"
GITHUB = "It's a Secret to Everybody"
PRIVATE = Ed25519PrivateKey.generate()
PUBLIC = "whpk_" + base64.b64encode(
    PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
).decode()

ROUTES = {
    "standard": f'scheme = "standard-webhooks"\nsecrets = ["{STANDARD_OLD}", "{STANDARD}", "{PUBLIC}"]',
    "stripe": f'scheme = "stripe"\nsecrets = ["{STRIPE}"]',
    "slack": f'scheme = "slack"\nsecrets = ["{SLACK}"]',
    "github": f'scheme = "github"\nsecrets = ["{GITHUB}"]',
}


def configuration(listener):
    """Routes that verify, and a topic that signs what it tells."""
    text = f"""
[alerts]
window_seconds = 0  # each by itself: the last one is waited for

[topics.alerts]
subscribers = [{{ webhook = {{ url = "http://127.0.0.1:{listener}/", secrets = ["{STANDARD}", "{STANDARD_OLD}"] }} }}]
"""
    for name, verify in ROUTES.items():
        text += f"""
[[routes]]
name = "{name}"
path = "/{name}"
reference = "$.ref"
topic = "alerts"
alerts = ["unverified"]
[routes.verify]
{verify}
"""
    return text


class Rejoin:
    """A server of its own, in memory."""

    def __init__(self, program, config):
        self.process = subprocess.Popen(
            [program, "serve", "--in-memory", "--listen", "127.0.0.1:0", "--config", config],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = []
        for line in self.process.stdout:
            said.append(line)
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                self.endpoint = found.group()
                # Else the pipe fills up, and the server waits.
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return
        raise SystemExit("the server did not start; it said:\n" + "".join(said))

    def call_back(self, route, headers, body):
        """The status, and the disposition."""
        request = urllib.request.Request(
            f"{self.endpoint}/{route}", body.encode(), {"content-type": "application/json", **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return answer.status, json.load(answer)["disposition"]
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)["disposition"]

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)


class Listener(http.server.BaseHTTPRequestHandler):
    """Whoever hears the alerts."""

    heard = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.heard.put((dict(self.headers.items()), body.decode()))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def now():
    return datetime.now(tz=timezone.utc)


def standard_headers(identity, at, signature):
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


def python_signs(identity, at, body, secret=STANDARD):
    return standard_headers(identity, at, Webhook(secret).sign(identity, at, body))


def ed25519_signs(identity, at, body):
    message = f"{identity}.{int(at.timestamp())}.{body}".encode()
    return standard_headers(identity, at, "v1a," + base64.b64encode(PRIVATE.sign(message)).decode())


def stripe_signs(_, at, body):
    seconds = int(at.timestamp())
    signature = stripe.WebhookSignature._compute_signature(f"{seconds}.{body}", STRIPE)
    return {"stripe-signature": f"t={seconds},v1={signature},v0=00"}


def slack_signs(_, at, body):
    seconds = str(int(at.timestamp()))
    signature = SignatureVerifier(SLACK).generate_signature(timestamp=seconds, body=body)
    return {"x-slack-request-timestamp": seconds, "x-slack-signature": signature}


def github_signs(_, __, body):
    digest = hmac.new(GITHUB.encode(), body.encode(), hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={digest}"}


def asks_node(script, question):
    done = subprocess.run(
        ["node", script, json.dumps(question)], capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def signers(node):
    """What signs, and on which route."""
    yield "PyPI's standardwebhooks", "standard", python_signs
    yield "an older secret", "standard", lambda i, at, body: python_signs(i, at, body, STANDARD_OLD)
    yield "Ed25519 (v1a)", "standard", ed25519_signs
    yield "PyPI's stripe", "stripe", stripe_signs
    yield "PyPI's slack_sdk", "slack", slack_signs
    yield "GitHub's way", "github", github_signs
    if node:

        def node_signs(identity, at, body):
            question = {"secret": STANDARD, "id": identity, "seconds": int(at.timestamp()), "body": body}
            return standard_headers(identity, at, asks_node(node, question)["signature"])

        yield "npm's standardwebhooks", "standard", node_signs


def they_sign(checks, rejoin, node):
    for number, (name, route, signs) in enumerate(signers(node)):
        identity = f"msg_{number}"
        body = json.dumps({"ref": f"reference {number}", "value": "ünïcode", "number": 1.50})
        with checks.check(f"{name}: what it signs is believed"):
            same(rejoin.call_back(route, signs(identity, now(), body), body), (202, "early"))
        with checks.check(f"{name}: one letter more is a forgery"):
            same(rejoin.call_back(route, signs(identity, now(), body), body + " "), (401, "unverified"))
        if route != "github":
            with checks.check(f"{name}: what is six minutes old is refused"):
                old = datetime.fromtimestamp(time.time() - 360, tz=timezone.utc)
                same(rejoin.call_back(route, signs(identity, old, body), body), (401, "unverified"))


def they_verify(checks, rejoin, node):
    while not Listener.heard.empty():
        Listener.heard.get()
    rejoin.call_back("github", {}, '{"ref": "ünïcode"}')
    headers, body = Listener.heard.get(timeout=PATIENCE_SECONDS)
    headers = {name.lower(): value for name, value in headers.items()}
    for name, secret in [("the first secret", STANDARD), ("the second secret", STANDARD_OLD)]:
        with checks.check(f"PyPI's standardwebhooks verifies what Rejoin signs, by {name}"):
            told = Webhook(secret).verify(body, headers)
            same(told["type"], "topic.alerts")
            same(told["data"]["disposition"], "unverified")
        if node:
            with checks.check(f"npm's standardwebhooks verifies what Rejoin signs, by {name}"):
                question = {"secret": secret, "body": body, "headers": headers}
                told = asks_node(node, question)["verified"]
                same(told["data"]["disposition"], "unverified")
    with checks.check("and refuses it with a letter changed"):
        try:
            Webhook(STANDARD).verify(body.replace("unverified", "delivered", 1), headers)
        except Exception:
            pass
        else:
            raise AssertionError("it was taken")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rejoin", required=True, help="the program")
    parser.add_argument("--node", help="standard.cjs beside its node_modules")
    options = parser.parse_args()
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "rejoin.toml")
        pathlib.Path(config).write_text(configuration(listener.server_port))
        rejoin = Rejoin(options.rejoin, config)
        try:
            they_sign(checks, rejoin, options.node)
            they_verify(checks, rejoin, options.node)
        finally:
            rejoin.stop()
            listener.shutdown()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
