"""The loan processor's six scenarios, as anybody outside sees them: started with boto3 or the AWS CLI,
their time moved over HTTP, and what came of them read back over HTTP.

The server is one that `rejoin demo --serve --clock virtual` started: the request function and the
valuation service are with it, on its clock.
"""

import json
import urllib.request
import uuid

from checks import CommandLine, same

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:LoanProcessor"
# Longer than anything takes: the late callback comes after 45 s.
ALL_SECONDS = 60
# For a request that does not wait for the clock; the first one starts the function's program.
PATIENCE_SECONDS = 60

NO_ANSWER = "The valuation service timed out"

# What: the property by which the service knows how to misbehave, how the execution ends and with which
# error, each callback's disposition, and how the alerts begin, in the order in which they come.
SCENARIOS = {
    "prompt": ("12", "SUCCEEDED", None, ["delivered"], []),
    "no callback": ("No callback", "FAILED", "ValuationServiceTimedOut", [], [NO_ANSWER]),
    "late": (
        "Late callback",
        "FAILED",
        "ValuationServiceTimedOut",
        ["late-timed-out"],
        [NO_ANSWER, "Late callback"],
    ),
    "duplicate": (
        "Duplicate response",
        "SUCCEEDED",
        None,
        ["delivered", "duplicate-identical"],
        ["Duplicate callback (identical"],
    ),
    "failed": (
        "Failed response",
        "FAILED",
        "ValuationFailed",
        ["delivered-as-failure"],
        ["The valuation failed"],
    ),
    "unknown reference": (
        "Unknown reference",
        "FAILED",
        "ValuationServiceTimedOut",
        ["unknown-reference"],
        ["Unknown reference", NO_ANSWER],
    ),
}
# The one that is started and read with the AWS CLI, if there is one.
BY_CLI = "late"


class LoanProcessor:
    def __init__(self, endpoint, states, aws, checks):
        self.endpoint = endpoint.rstrip("/")
        self.states = states
        self.aws = aws
        self.checks = checks
        self.run = uuid.uuid4().hex[:8]

    def scenarios(self):
        with self.checks.check("the loan processor stands on a virtual clock"):
            same(self.http("/rejoin/clock")["clock"], "virtual")
        for what in SCENARIOS:
            by_cli = self.aws and what == BY_CLI
            with self.checks.check(f"loan processor, {what}" + (" (AWS CLI)" if by_cli else "")):
                self.play(what, by_cli)

    def play(self, what, by_cli):
        property_name, status, error, dispositions, alerts = SCENARIOS[what]
        deliveries_before, messages_before = len(self.deliveries()), len(self.messages())
        application = {
            "applicationReference": f"smoke-{self.run}",
            "property": {"nameOrNumber": property_name, "postcode": "SW1Y 4JH"},
        }
        start, describe = self.by_cli() if by_cli else self.by_boto3()
        execution = start(f"{what.replace(' ', '-')}-{self.run}", json.dumps(application))
        self.http("/rejoin/clock/advance", {"seconds": ALL_SECONDS})

        ended = describe(execution)
        same((ended["status"], ended.get("error")), (status, error))
        if status == "SUCCEEDED":
            same(json.loads(ended["output"])["propertyValue"] > 0, True)
        deliveries = self.deliveries()[deliveries_before:]
        same([d["dispositions"][-1]["disposition"] for d in deliveries], dispositions)
        messages = self.messages()[messages_before:]
        same(
            [m["description"][: len(begins)] for m, begins in zip(messages, alerts)]
            + messages[len(alerts) :],
            alerts,
        )
        for message in messages:
            self.names_the_execution(message, execution)

    @staticmethod
    def names_the_execution(message, execution):
        """The workflow's own messages and the gateway's alerts say whose they are; a callback with a
        reference that nobody knows is nobody's, so its alert has the body to go by."""
        if "eventBody" not in message:
            same((message["source"], message["executionId"]), (MACHINE, execution))
        elif message["description"].startswith("Unknown reference"):
            same("valuationReference" in json.loads(message["eventBody"]), True)
        else:
            same(message["executionArn"], execution)
            same(message["stateName"], "RequestValuation")

    # ---- two ways to start an execution and to look at it

    def by_boto3(self):
        def start(name, text):
            started = self.states.start_execution(stateMachineArn=MACHINE, name=name, input=text)
            return started["executionArn"]

        return start, lambda execution: self.states.describe_execution(executionArn=execution)

    def by_cli(self):
        cli = CommandLine(self.aws, self.endpoint)

        def start(name, text):
            machine = ("--state-machine-arn", MACHINE)
            started = cli("start-execution", *machine, "--name", name, "--input", text)
            return started["executionArn"]

        return start, lambda execution: cli("describe-execution", "--execution-arn", execution)

    # ---- what the Step Functions API does not have

    def deliveries(self):
        """All callbacks, oldest first."""
        return self.http("/rejoin/deliveries?limit=1000")["deliveries"][::-1]

    def messages(self):
        """All that the error topic heard, oldest first."""
        page = self.http("/rejoin/topics/LoanErrors/messages?limit=1000")
        return [message["message"] for message in page["messages"]][::-1]

    def http(self, path, body=None):
        """Gets a path, or posts to it."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.endpoint + path, data=data)
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)
