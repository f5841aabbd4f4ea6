#!/usr/bin/env python3
"""Drive a running server with boto3 and with the AWS CLI.

    python3 smoke.py --endpoint http://127.0.0.1:8083 [--aws PATH-TO-AWS-CLI | --no-cli]
    python3 smoke.py --loan-processor http://127.0.0.1:8084

The first takes any server; the second one that `rejoin demo --serve --clock virtual` started. `run` starts
servers for both. Needs what requirements.txt names. Prints a line a check; the last line is `N passed, M failed`, and the
exit status is 1 if any failed. Every run makes resources of its own and takes them away again.
"""

import argparse
import json
import shutil
import sys
import threading
import time
import uuid
from pathlib import Path

import boto3
import botocore.exceptions
from botocore.config import Config

from checks import REGION, Checks, CommandLine, same
from loan_processor import LoanProcessor

ROLE = "arn:aws:iam::123456789012:role/smoke"
# How long anything may take that does not wait for the clock.
PATIENCE_SECONDS = 20


def refused(call, code, message=None, **parameters):
    """Makes a call that is to be refused."""
    try:
        answer = call(**parameters)
    except botocore.exceptions.ClientError as refusal:
        error = refusal.response["Error"]
        same(error["Code"], code)
        if message is not None:
            same(error["Message"], message)
        same(refusal.response["ResponseMetadata"]["HTTPStatusCode"], 400)
    else:
        raise AssertionError(f"answered {answer!r}, expected {code}")


def until(what, look):
    """Looks again and again until there is something to see."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE_SECONDS} s for {what}")


def client(endpoint):
    """boto3 at a server."""
    return boto3.client(
        "stepfunctions",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="smoke",
        aws_secret_access_key="smoke",
        config=Config(
            retries={"max_attempts": 0},
            read_timeout=70,
            max_pool_connections=20,
            inject_host_prefix=False,
            # So that the server's constraints are tested, not boto3's.
            parameter_validation=False,
        ),
    )


class Smoke:
    def __init__(self, endpoint, checks):
        self.checks = checks
        self.endpoint = endpoint
        self.run = uuid.uuid4().hex[:8]
        self.states = client(endpoint)

    def definition(self, **task):
        """Waits for a worker of the activity."""
        work = {"Type": "Task", "Resource": self.activity, "End": True, **task}
        return json.dumps({"StartAt": "Work", "States": {"Work": work}})

    def start(self, machine, value):
        arn = self.states.start_execution(stateMachineArn=machine, input=json.dumps(value))
        return arn["executionArn"]

    def task(self):
        task = self.states.get_activity_task(activityArn=self.activity, workerName="smoke")
        if not task.get("taskToken"):
            raise AssertionError("no task came within the long poll")
        return task

    def ended(self, execution):
        def look():
            found = self.states.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        return until(f"the end of {execution}", look)

    def types(self, execution, **parameters):
        history = self.states.get_execution_history(executionArn=execution, **parameters)
        return [event["type"] for event in history["events"]]

    # ---- the checks, in the order they are made

    def activities(self):
        check, states = self.checks.check, self.states
        name = f"smoke-activity-{self.run}"
        with check("CreateActivity gives an ARN"):
            created = states.create_activity(name=name)
            self.activity = created["activityArn"]
            same(self.activity.split(":")[-2:], ["activity", name])
        with check("CreateActivity is idempotent"):
            again = states.create_activity(name=name)
            same(again["creationDate"], created["creationDate"])
        with check("DescribeActivity"):
            same(states.describe_activity(activityArn=self.activity)["name"], name)
        with check("ListActivities finds it, page by page"):
            pages = states.get_paginator("list_activities").paginate(
                PaginationConfig={"PageSize": 1}
            )
            arns = [a["activityArn"] for page in pages for a in page["activities"]]
            same(arns.count(self.activity), 1)
        with check("CreateActivity refuses a bad name"):
            refused(
                states.create_activity, "InvalidName", "Invalid Name: 'two words'", name="two words"
            )

    def machines(self):
        check, states = self.checks.check, self.states
        name = f"smoke-{self.run}"
        definition = self.definition()
        with check("CreateStateMachine gives an ARN"):
            created = states.create_state_machine(name=name, definition=definition, roleArn=ROLE)
            self.machine = created["stateMachineArn"]
            same(self.machine.split(":")[-2:], ["stateMachine", name])
        with check("CreateStateMachine is idempotent for the identical text"):
            again = states.create_state_machine(name=name, definition=definition, roleArn=ROLE)
            same(again["creationDate"], created["creationDate"])
        with check("CreateStateMachine refuses another text of the same name"):
            refused(
                states.create_state_machine,
                "StateMachineAlreadyExists",
                f"State Machine Already Exists: '{self.machine}'",
                name=name,
                definition=self.definition(Comment="other"),
                roleArn=ROLE,
            )
        with check("DescribeStateMachine gives back what was stored"):
            found = states.describe_state_machine(stateMachineArn=self.machine)
            same(found["definition"], definition)
            same((found["status"], found["type"], found["roleArn"]), ("ACTIVE", "STANDARD", ROLE))
            same(found["loggingConfiguration"], {"level": "OFF", "includeExecutionData": False})
        with check("UpdateStateMachine gives a new revision"):
            changed = self.definition(HeartbeatSeconds=600)
            updated = states.update_state_machine(
                stateMachineArn=self.machine, definition=changed
            )
            found = states.describe_state_machine(stateMachineArn=self.machine)
            same((found["definition"], found["revisionId"]), (changed, updated["revisionId"]))
        with check("UpdateStateMachine without a change keeps the revision"):
            again = states.update_state_machine(stateMachineArn=self.machine, definition=changed)
            same(again["revisionId"], updated["revisionId"])
        with check("ListStateMachines finds it, page by page"):
            pages = states.get_paginator("list_state_machines").paginate(
                PaginationConfig={"PageSize": 1}
            )
            arns = [m["stateMachineArn"] for page in pages for m in page["stateMachines"]]
            same(arns.count(self.machine), 1)
        with check("TagResource, ListTagsForResource, UntagResource"):
            states.tag_resource(
                resourceArn=self.machine,
                tags=[{"key": "a", "value": "1"}, {"key": "b", "value": ""}],
            )
            states.untag_resource(resourceArn=self.machine, tagKeys=["a"])
            tags = states.list_tags_for_resource(resourceArn=self.machine)["tags"]
            same(tags, [{"key": "b", "value": ""}])
        with check("ValidateStateMachineDefinition"):
            found = states.validate_state_machine_definition(definition='{"States":{}}')
            same((found["result"], bool(found["diagnostics"])), ("FAIL", True))
            same(states.validate_state_machine_definition(definition=changed)["result"], "OK")

    def success(self):
        check, states = self.checks.check, self.states
        with check("StartExecution, GetActivityTask, SendTaskSuccess: the execution succeeds"):
            execution = self.start(self.machine, {"amount": 7})
            task = self.task()
            same(json.loads(task["input"]), {"amount": 7})
            states.send_task_heartbeat(taskToken=task["taskToken"])
            states.send_task_success(taskToken=task["taskToken"], output='{"approved": true}')
            found = self.ended(execution)
            same(found["status"], "SUCCEEDED")
            same(json.loads(found["output"]), {"approved": True})
            same(json.loads(found["input"]), {"amount": 7})
            same((found["redriveCount"], found["redriveStatus"]), (0, "NOT_REDRIVABLE"))
        with check("a token that was used is refused"):
            for call in (states.send_task_success, states.send_task_failure):
                more = {"output": "1"} if call == states.send_task_success else {}
                refused(
                    call,
                    "TaskTimedOut",
                    "Task Timed Out: 'Provided task does not exist anymore'",
                    taskToken=task["taskToken"],
                    **more,
                )
            refused(states.send_task_heartbeat, "TaskTimedOut", taskToken=task["taskToken"])
        expected = [
            "ExecutionStarted",
            "TaskStateEntered",
            "ActivityScheduled",
            "ActivityStarted",
            "ActivitySucceeded",
            "TaskStateExited",
            "ExecutionSucceeded",
        ]
        with check("GetExecutionHistory in order and in reverse"):
            same(self.types(execution), expected)
            same(self.types(execution, reverseOrder=True), expected[::-1])
        with check("GetExecutionHistory page by page"):
            for reverse in (False, True):
                pages = states.get_paginator("get_execution_history").paginate(
                    executionArn=execution,
                    reverseOrder=reverse,
                    PaginationConfig={"PageSize": 2},
                )
                ids = [event["id"] for page in pages for event in page["events"]]
                same(sorted(ids, reverse=reverse), ids)
                same(sorted(ids), list(range(1, len(expected) + 1)))
        with check("GetExecutionHistory without data"):
            events = states.get_execution_history(
                executionArn=execution, includeExecutionData=False
            )["events"]
            same("input" in events[0]["executionStartedEventDetails"], False)
        with check("DescribeStateMachineForExecution"):
            found = states.describe_state_machine_for_execution(executionArn=execution)
            same(found["stateMachineArn"], self.machine)
        with check("DescribeExecution without data"):
            found = states.describe_execution(
                executionArn=execution, includedData="METADATA_ONLY"
            )
            same(("input" in found, found["inputDetails"]), (False, {"included": False}))

    def failure(self):
        check, states = self.checks.check, self.states
        with check("SendTaskFailure: the execution fails"):
            execution = self.start(self.machine, {})
            token = self.task()["taskToken"]
            states.send_task_failure(taskToken=token, error="ValuationFailed", cause="no such house")
            found = self.ended(execution)
            same(
                (found["status"], found["error"], found["cause"], found["redriveStatus"]),
                ("FAILED", "ValuationFailed", "no such house", "REDRIVABLE"),
            )
        with check("StopExecution: the execution is aborted, and again does no harm"):
            execution = self.start(self.machine, {})
            stopped = states.stop_execution(executionArn=execution, error="Stop", cause="enough")
            found = self.ended(execution)
            same(
                (found["status"], found["error"], found["cause"]), ("ABORTED", "Stop", "enough")
            )
            again = states.stop_execution(executionArn=execution)
            same(again["stopDate"], stopped["stopDate"])
            same(self.types(execution)[-1], "ExecutionAborted")
        with check("a worker that waits gets the task as soon as there is one"):
            got = []
            waiting = threading.Thread(target=lambda: got.append(self.task()))
            waiting.start()
            execution = self.start(self.machine, {"late": True})
            waiting.join(PATIENCE_SECONDS)
            same(json.loads(got[0]["input"]), {"late": True})
            states.send_task_success(taskToken=got[0]["taskToken"], output="null")
            same(self.ended(execution)["output"], "null")

    def names(self):
        check, states = self.checks.check, self.states
        named = {"stateMachineArn": self.machine, "name": f"one-{self.run}"}
        with check("StartExecution is idempotent by name while the execution runs"):
            first = states.start_execution(**named, input='{"a":1}')
            again = states.start_execution(**named, input='{"a":1}')
            same(
                (again["executionArn"], again["startDate"]),
                (first["executionArn"], first["startDate"]),
            )
        with check("StartExecution refuses a name that is taken"):
            arn = first["executionArn"]
            taken = ("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
            refused(states.start_execution, *taken, **named, input='{"a":2}')
            states.stop_execution(executionArn=arn)
            refused(states.start_execution, *taken, **named, input='{"a":1}')

    def lists(self):
        check, states = self.checks.check, self.states
        with check("ListExecutions, newest first, page by page"):
            pages = states.get_paginator("list_executions").paginate(
                stateMachineArn=self.machine, PaginationConfig={"PageSize": 2}
            )
            found = [execution for page in pages for execution in page["executions"]]
            same(len(found), 5)
            starts = [execution["startDate"] for execution in found]
            same(sorted(starts, reverse=True), starts)
        with check("ListExecutions by status"):
            for status, count in (
                ("SUCCEEDED", 2),
                ("FAILED", 1),
                ("ABORTED", 2),
                ("RUNNING", 0),
                ("TIMED_OUT", 0),
            ):
                found = states.list_executions(stateMachineArn=self.machine, statusFilter=status)
                same([e["status"] for e in found["executions"]], [status] * count)

    def refusals(self):
        check, states = self.checks.check, self.states
        here = self.machine.rsplit(":", 2)[0]
        for what, code, message, call, parameters in (
            (
                "an ARN that is none",
                "InvalidArn",
                "Invalid Arn: 'Invalid ARN prefix: nonsense'",
                states.describe_execution,
                {"executionArn": "nonsense"},
            ),
            (
                "an ARN of something else",
                "InvalidArn",
                "Invalid Arn: 'Resource type not valid in this context: stateMachine'",
                states.describe_execution,
                {"executionArn": self.machine},
            ),
            (
                "a state machine that is not there",
                "StateMachineDoesNotExist",
                f"State Machine Does Not Exist: '{here}:stateMachine:nobody'",
                states.start_execution,
                {"stateMachineArn": f"{here}:stateMachine:nobody"},
            ),
            (
                "an execution that is not there",
                "ExecutionDoesNotExist",
                f"Execution Does Not Exist: '{here}:execution:nobody:nothing'",
                states.get_execution_history,
                {"executionArn": f"{here}:execution:nobody:nothing"},
            ),
            (
                "an activity that is not there",
                "ActivityDoesNotExist",
                f"Activity Does Not Exist: '{here}:activity:nobody'",
                states.get_activity_task,
                {"activityArn": f"{here}:activity:nobody"},
            ),
            (
                "an input that is not JSON",
                "InvalidExecutionInput",
                "Invalid State Machine Execution Input: 'Unrecognized token 'not': was expecting "
                "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')'",
                states.start_execution,
                {"stateMachineArn": self.machine, "input": "not some json"},
            ),
            (
                "an input that is too large",
                "ValidationException",
                "1 validation error detected: Value at 'input' failed to satisfy constraint: "
                "Member must have length less than or equal to 262144",
                states.start_execution,
                {"stateMachineArn": self.machine, "input": json.dumps("x" * 262_143)},
            ),
            (
                "an unknown token",
                "InvalidToken",
                "Invalid Token: 'Invalid token'",
                states.send_task_success,
                {"taskToken": "nonsense", "output": "{}"},
            ),
            (
                "an unknown page",
                "InvalidToken",
                "Invalid Token: 'Invalid token'",
                states.list_executions,
                {"stateMachineArn": self.machine, "nextToken": "nonsense"},
            ),
            (
                "an unknown status",
                "ValidationException",
                "1 validation error detected: Value 'succeeded' at 'statusFilter' failed to satisfy "
                "constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, "
                "PENDING_REDRIVE, ABORTED, FAILED, RUNNING]",
                states.list_executions,
                {"stateMachineArn": self.machine, "statusFilter": "succeeded"},
            ),
            (
                "a request without what it needs",
                "ValidationException",
                "2 validation errors detected: Value null at 'definition' failed to satisfy "
                "constraint: Member must not be null; Value null at 'roleArn' failed to satisfy "
                "constraint: Member must not be null",
                states.create_state_machine,
                {"name": "n"},
            ),
            (
                "logs without a destination",
                "InvalidLoggingConfiguration",
                "Invalid Logging Configuration: Must specify exactly one Log Destination.",
                states.create_state_machine,
                {
                    "name": "n",
                    "definition": self.definition(),
                    "roleArn": ROLE,
                    "loggingConfiguration": {"level": "ALL"},
                },
            ),
        ):
            with check(f"refused: {what}"):
                refused(call, code, message, **parameters)
        with check("refused: a definition with two faults, both of which are named"):
            broken = {"StartAt": "A", "States": {"A": {"Type": "Nap", "End": True}, "B": {"Type": "Pass"}}}
            try:
                states.create_state_machine(
                    name="broken", definition=json.dumps(broken), roleArn=ROLE
                )
            except botocore.exceptions.ClientError as refusal:
                error = refusal.response["Error"]
                same(error["Code"], "InvalidDefinition")
                for place in ("/States/A", "/States/B"):
                    if place not in error["Message"]:
                        raise AssertionError(f"{place} is not in {error['Message']!r}")
            else:
                raise AssertionError("the definition was accepted")

    def removal(self):
        check, states = self.checks.check, self.states
        with check("DeleteStateMachine, twice"):
            for _ in range(2):
                states.delete_state_machine(stateMachineArn=self.machine)
            refused(
                states.describe_state_machine,
                "StateMachineDoesNotExist",
                stateMachineArn=self.machine,
            )
        with check("DeleteActivity, twice"):
            for _ in range(2):
                states.delete_activity(activityArn=self.activity)
            refused(
                states.describe_activity, "ActivityDoesNotExist", activityArn=self.activity
            )

    # ---- the same from the command line

    def command_line(self, aws):
        check = self.checks.check
        cli = CommandLine(aws, self.endpoint)
        name = f"smoke-cli-{self.run}"
        with check("aws create-activity, create-state-machine"):
            self.activity = cli("create-activity", "--name", name)["activityArn"]
            machine = cli(
                "create-state-machine",
                *("--name", name),
                *("--definition", self.definition()),
                *("--role-arn", ROLE),
            )["stateMachineArn"]
        with check("aws start-execution, get-activity-task, send-task-heartbeat, send-task-success"):
            started = cli(
                "start-execution", "--state-machine-arn", machine, "--input", '{"from":"cli"}'
            )
            execution = started["executionArn"]
            task = cli("get-activity-task", "--activity-arn", self.activity)
            same(json.loads(task["input"]), {"from": "cli"})
            cli("send-task-heartbeat", "--task-token", task["taskToken"])
            cli("send-task-success", "--task-token", task["taskToken"], "--task-output", '"done"')
            described = cli("describe-execution", "--execution-arn", execution)
            same((described["status"], described["output"]), ("SUCCEEDED", '"done"'))
        with check("aws send-task-failure"):
            failing = cli("start-execution", "--state-machine-arn", machine)["executionArn"]
            task = cli("get-activity-task", "--activity-arn", self.activity)
            cli("send-task-failure", "--task-token", task["taskToken"], "--error", "No")
            described = cli("describe-execution", "--execution-arn", failing)
            same((described["status"], described["error"]), ("FAILED", "No"))
        with check("aws get-execution-history, by the CLI's own paging"):
            history = cli(
                "get-execution-history", "--execution-arn", execution, "--page-size", "3"
            )
            same([event["id"] for event in history["events"]], list(range(1, 8)))
        with check("aws stop-execution, list-executions"):
            running = cli("start-execution", "--state-machine-arn", machine)["executionArn"]
            cli("stop-execution", "--execution-arn", running, "--cause", "enough")
            listed = cli(
                "list-executions", "--state-machine-arn", machine, "--status-filter", "ABORTED"
            )
            same([e["executionArn"] for e in listed["executions"]], [running])
        with check("aws describe-execution tells what is wrong"):
            said = cli.refusal("describe-execution", "--execution-arn", "nonsense")
            wanted = (
                "(InvalidArn) when calling the DescribeExecution operation: Invalid Arn: "
                "'Invalid ARN prefix: nonsense'"
            )
            same(wanted in said, True)
        with check("aws delete-state-machine, delete-activity"):
            cli("delete-state-machine", "--state-machine-arn", machine)
            cli("delete-activity", "--activity-arn", self.activity)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--endpoint", help="where a server listens")
    parser.add_argument(
        "--loan-processor",
        metavar="ENDPOINT",
        help="where `rejoin demo --serve --clock virtual` listens",
    )
    beside = Path(sys.executable).with_name("aws")
    parser.add_argument(
        "--aws",
        default=str(beside) if beside.exists() else shutil.which("aws"),
        help="the AWS CLI (default: beside this Python, or on the PATH)",
    )
    parser.add_argument("--no-cli", action="store_true", help="leave the AWS CLI out")
    options = parser.parse_args()
    if not options.no_cli and not options.aws:
        parser.error("there is no AWS CLI here: install requirements.txt, or say --aws or --no-cli")

    if not options.endpoint and not options.loan_processor:
        parser.error("say --endpoint, --loan-processor, or both")
    aws = None if options.no_cli else options.aws

    checks = Checks()
    parts = []
    if options.endpoint:
        smoke = Smoke(options.endpoint, checks)
        parts += [
            smoke.activities,
            smoke.machines,
            smoke.success,
            smoke.failure,
            smoke.names,
            smoke.lists,
            smoke.refusals,
            smoke.removal,
        ]
        if aws:
            parts.append(lambda: smoke.command_line(aws))
    if options.loan_processor:
        parts.append(LoanProcessor(options.loan_processor, client(options.loan_processor), aws, checks).scenarios)
    for part in parts:
        try:
            part()
        except Exception as problem:  # what a part needs from one before it is not there
            checks.failed += 1
            print(f"FAIL  the rest of this part could not be tried: {problem}", flush=True)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
