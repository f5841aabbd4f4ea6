"""A world in which every error of the service model can be provoked, and how.

`World` makes one resource of each kind and state. A provocation is a function without arguments that makes the
call which is to be refused; those that follow a rule (a bad ARN, a bad token, a request without what it needs, a
key that KMS refuses) are made by `World.provocation`, the others stand in PROVOCATIONS by operation and error.
"""

import json
import queue
import threading
import uuid

ROLE = "arn:aws:iam::123456789012:role/walk"
HERE = "arn:aws:states:us-east-1:123456789012"
PASS = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
FAIL = json.dumps({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "c"}}})

# Executions are forgotten after a day, so that it can be seen.
PLAIN = "[server]\nretention_days = 1\n"
TIGHT = """[quotas]
state_machines = 2
activities = 1
open_executions = 1
activity_pollers = 1
versions = 1
aliases = 1
tags = 1
express = false
"""

KMS_ERRORS = {
    "KmsAccessDeniedException": "AccessDeniedException",
    "KmsInvalidStateException": "DisabledException",
    "KmsThrottlingException": "ThrottlingException",
}
# Longer than the answer of KMS holds, in seconds.
KEY_REUSE = 61
GARBAGE = "bm9uc2Vuc2U"


def works(activity, **more):
    """A definition that waits for a worker of an activity."""
    task = {"Type": "Task", "Resource": activity, "End": True, **more}
    return json.dumps({"StartAt": "Work", "States": {"Work": task}})


def maps(activity):
    """A distributed Map whose one child execution waits for a worker."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        **json.loads(works(activity)),
    }
    state = {"Type": "Map", "ItemsPath": "$", "ItemProcessor": processor, "End": True}
    return json.dumps({"StartAt": "Each", "States": {"Each": state}})


class World:
    def __init__(self, plain, tight, kms, checks):
        self.plain, self.tight, self.kms, self.refusals = plain, tight, kms, kms.refusals
        self.keyed_world = None
        self.map_run = None
        for what, build in [
            ("resources of every kind", self.build),
            ("executions of every kind", self.run),
            ("a Map Run that goes on", self.run_map),
            ("quotas that are used up", self.fill),
            ("resources with a key of KMS", self.build_keyed),
        ]:
            with checks.check(f"the world has {what}"):
                build()

    # ---- what there is

    def machine(self, name, definition, server=None, **more):
        body = {"name": name, "definition": definition, "roleArn": ROLE, **more}
        return (server or self.plain).call("CreateStateMachine", body)["stateMachineArn"]

    def start(self, machine, server=None, **more):
        body = {"stateMachineArn": machine, **more}
        return (server or self.plain).call("StartExecution", body)["executionArn"]

    def build(self):
        call = self.plain.call
        self.activity = call("CreateActivity", {"name": "a"})["activityArn"]
        call("DescribeActivity", {"activityArn": self.activity})
        call("ListActivities", {"maxResults": 1})
        spare = call("CreateActivity", {"name": "spare"})["activityArn"]
        call("DeleteActivity", {"activityArn": spare})
        self.working = self.machine("m", works(self.activity), tags=[{"key": "k", "value": "v"}])
        self.express = self.machine("express", PASS, type="EXPRESS")
        self.passing = self.machine("p", PASS, publish=True, versionDescription="first")
        self.version = f"{self.passing}:1"
        routes = [{"stateMachineVersionArn": self.version, "weight": 100}]
        alias = {"name": "live", "routingConfiguration": routes}
        self.alias = call("CreateStateMachineAlias", alias)["stateMachineAliasArn"]
        call("UpdateStateMachineAlias", {"stateMachineAliasArn": self.alias, "description": "d"})
        call("DescribeStateMachineAlias", {"stateMachineAliasArn": self.alias})
        call("ListStateMachineAliases", {"stateMachineArn": self.passing})
        call("ListStateMachineVersions", {"stateMachineArn": self.passing})
        call("UpdateStateMachine", {"stateMachineArn": self.passing, "roleArn": ROLE + "2"})
        second = call("PublishStateMachineVersion", {"stateMachineArn": self.passing})
        version = {"stateMachineVersionArn": second["stateMachineVersionArn"]}
        spare = {"name": "spare", "routingConfiguration": [{**version, "weight": 100}]}
        spare = call("CreateStateMachineAlias", spare)["stateMachineAliasArn"]
        call("DeleteStateMachineAlias", {"stateMachineAliasArn": spare})
        call("DeleteStateMachineVersion", version)
        for arn in (self.passing, self.version, self.express):
            call("DescribeStateMachine", {"stateMachineArn": arn})
        call("ListStateMachines", {"maxResults": 1})
        call("TagResource", {"resourceArn": self.activity, "tags": [{"key": "a", "value": "b"}]})
        call("ListTagsForResource", {"resourceArn": self.activity})
        call("UntagResource", {"resourceArn": self.activity, "tagKeys": ["a"]})
        call("ValidateStateMachineDefinition", {"definition": '{"States": {}}'})
        state = json.dumps({"Type": "Pass", "Result": {"a": 1}, "End": True})
        call("TestState", {"definition": state, "inspectionLevel": "TRACE", "input": "{}"})
        spare = self.machine("spare", PASS)
        call("DeleteStateMachine", {"stateMachineArn": spare})
        # One that was deleted while an execution of it is open, and what it has.
        self.deleting = self.machine("deleting", works(self.activity), publish=True)
        routes = [{"stateMachineVersionArn": f"{self.deleting}:1", "weight": 100}]
        self.deleting_alias = {"name": "old", "routingConfiguration": routes}
        call("CreateStateMachineAlias", self.deleting_alias)
        self.start(self.deleting)
        call("DeleteStateMachine", {"stateMachineArn": self.deleting})
        found = call("DescribeStateMachine", {"stateMachineArn": self.deleting})
        if found["status"] != "DELETING":
            raise AssertionError(found)

    def task(self, activity=None, server=None):
        body = {"activityArn": activity or self.activity, "workerName": "w"}
        return (server or self.plain).call("GetActivityTask", body)["taskToken"]

    def run(self):
        call = self.plain.call
        # The task of the machine that is being deleted comes first.
        self.task()
        # A task whose execution is forgotten, one that is over, and one that is open.
        forgotten = self.start(self.working)
        self.forgotten_token = self.task()
        call("SendTaskFailure", {"taskToken": self.forgotten_token, "error": "E", "cause": "c"})
        self.plain.advance(3 * 86_400)
        # It looks for what is old as executions end.
        self.ended = self.start(self.working, name="ended", input='{"a": 1}')
        self.ended_token = self.task()
        call("SendTaskHeartbeat", {"taskToken": self.ended_token})
        call("SendTaskSuccess", {"taskToken": self.ended_token, "output": "{}"})
        gone = {"executionArn": forgotten}
        for _ in range(100):
            if refused(lambda: call("DescribeExecution", gone)):
                break
        else:
            raise AssertionError("an execution that ended three days ago is not forgotten after one")
        failing = self.machine("f", FAIL)
        self.failed = self.start(failing)
        self.running = self.start(self.working, name="running", input='{"a": 1}')
        stopped = self.start(self.working)
        call("StopExecution", {"executionArn": stopped, "error": "E", "cause": "c"})
        for arn in (self.running, self.ended, self.failed, stopped):
            call("DescribeExecution", {"executionArn": arn})
            call("DescribeExecution", {"executionArn": arn, "includedData": "METADATA_ONLY"})
            call("GetExecutionHistory", {"executionArn": arn})
            call("DescribeStateMachineForExecution", {"executionArn": arn})
        call("ListExecutions", {"stateMachineArn": self.working})
        call("ListExecutions", {"stateMachineArn": self.passing, "statusFilter": "FAILED"})
        for machine, given in ((self.express, {}), (self.machine("xf", FAIL, type="EXPRESS"), {"name": "n"})):
            call("StartSyncExecution", {"stateMachineArn": machine, "input": "{}", **given})
        call("RedriveExecution", {"executionArn": self.failed})

    def run_map(self):
        call = self.plain.call
        activity = call("CreateActivity", {"name": "each"})["activityArn"]
        self.mapping = self.start(self.machine("each", maps(activity)), input="[1, 2]")
        self.task(activity)
        runs = call("ListMapRuns", {"executionArn": self.mapping})["mapRuns"]
        self.map_run = runs[0]["mapRunArn"]
        named = {"mapRunArn": self.map_run}
        call("DescribeMapRun", named)
        call("UpdateMapRun", {**named, "maxConcurrency": 2, "toleratedFailurePercentage": 50.5})
        call("ListExecutions", named)

    def fill(self):
        call = self.tight.call
        self.tight_activity = call("CreateActivity", {"name": "a"})["activityArn"]
        self.tight_machine = self.machine("m", works(self.tight_activity), self.tight, publish=True)
        failing = self.machine("f", FAIL, self.tight)
        self.tight_failed = self.start(failing, self.tight)
        self.start(self.tight_machine, self.tight)
        self.task(self.tight_activity, self.tight)
        routes = [{"stateMachineVersionArn": f"{self.tight_machine}:1", "weight": 100}]
        call("CreateStateMachineAlias", {"name": "one", "routingConfiguration": routes})
        self.tight_routes = routes
        role = {"stateMachineArn": self.tight_machine, "roleArn": ROLE + "2"}
        call("UpdateStateMachine", role)

    def key(self, name, reuse=60):
        return {
            "type": "CUSTOMER_MANAGED_KMS_KEY",
            "kmsKeyId": name,
            "kmsDataKeyReusePeriodSeconds": reuse,
        }

    def build_keyed(self):
        call = self.plain.call
        made = {"name": "keyed", "encryptionConfiguration": self.key("key")}
        self.keyed_activity = call("CreateActivity", made)["activityArn"]
        key = {"encryptionConfiguration": self.key("key")}
        self.keyed = self.machine("keyed", works(self.keyed_activity), **key)
        self.keyed_express = self.machine("keyed-express", PASS, type="EXPRESS", **key)
        self.keyed_execution = self.start(self.keyed)
        self.keyed_token = self.task(self.keyed_activity)

    # ---- how each error comes about

    def provocation(self, operation, error):
        """A call that is to end with this error, or None."""
        if error in KMS_ERRORS:
            return self.with_key(operation, KMS_ERRORS[error])
        special = PROVOCATIONS.get((operation, error))
        if special is not None:
            return lambda: special(self)
        body = None
        if error == "InvalidArn" and operation in ARNS:
            body = {**self.request(operation), ARNS[operation]: "nonsense"}
        elif error == "InvalidToken":
            token = "taskToken" if operation.startswith("SendTask") else "nextToken"
            body = {**self.request(operation), token: GARBAGE}
        elif error == "ValidationException":
            body = {}
        elif error == "StateMachineDoesNotExist":
            body = {**self.request(operation), "stateMachineArn": f"{HERE}:stateMachine:none"}
        elif error == "ExecutionDoesNotExist":
            body = {**self.request(operation), "executionArn": f"{HERE}:execution:none:none"}
        elif error == "ActivityDoesNotExist":
            body = {**self.request(operation), "activityArn": f"{HERE}:activity:none"}
        elif error == "StateMachineDeleting" and operation in ("StartExecution", "PublishStateMachineVersion"):
            body = {"stateMachineArn": self.deleting}
        elif error == "TaskTimedOut":
            body = {**self.request(operation), "taskToken": self.ended_token}
        elif error == "TaskDoesNotExist":
            body = {**self.request(operation), "taskToken": self.forgotten_token}
        return body if body is None else lambda: self.plain.call(operation, body)

    def request(self, operation):
        """A request that would do, but for what is to be wrong with it."""
        routes = [{"stateMachineVersionArn": self.version, "weight": 100}]
        machine = {"name": "new", "definition": PASS, "roleArn": ROLE}
        return {
            "CreateStateMachine": machine,
            "GetActivityTask": {"activityArn": self.activity},
            "GetExecutionHistory": {"executionArn": self.ended},
            "ListExecutions": {"stateMachineArn": self.working},
            "ListMapRuns": {"executionArn": self.ended},
            "ListStateMachineAliases": {"stateMachineArn": self.passing},
            "ListStateMachineVersions": {"stateMachineArn": self.passing},
            "SendTaskFailure": {"taskToken": self.ended_token},
            "SendTaskHeartbeat": {"taskToken": self.ended_token},
            "SendTaskSuccess": {"taskToken": self.ended_token, "output": "{}"},
            "TagResource": {"resourceArn": self.activity, "tags": []},
            "TestState": {"definition": json.dumps({"Type": "Pass", "End": True})},
            "UntagResource": {"resourceArn": self.activity, "tagKeys": []},
            "UpdateMapRun": {"mapRunArn": self.map_run, "maxConcurrency": 1},
            "UpdateStateMachine": {"stateMachineArn": self.passing, "definition": PASS},
            "UpdateStateMachineAlias": {
                "stateMachineAliasArn": self.alias,
                "routingConfiguration": routes,
            },
        }.get(operation, {})

    def with_key(self, operation, refusal):
        """A request for a resource whose key KMS refuses to give."""
        fresh = f"key-{uuid.uuid4().hex[:8]}"
        configured = {"encryptionConfiguration": self.key(fresh)}
        machine = {"stateMachineArn": self.keyed}
        execution = {"executionArn": self.keyed_execution}
        token = {"taskToken": self.keyed_token}
        bodies = {
            "CreateActivity": {"name": fresh, **configured},
            "CreateStateMachine": {"name": fresh, "definition": PASS, "roleArn": ROLE, **configured},
            "UpdateStateMachine": {**machine, **configured},
            "DescribeExecution": execution,
            "DescribeStateMachine": machine,
            "DescribeStateMachineForExecution": execution,
            "GetActivityTask": {"activityArn": self.keyed_activity},
            "GetExecutionHistory": execution,
            "SendTaskFailure": token,
            "SendTaskSuccess": {**token, "output": "{}"},
            "StartExecution": machine,
            "StartSyncExecution": {"stateMachineArn": self.keyed_express},
            "StopExecution": execution,
        }
        if operation not in bodies:
            return None

        def provoke():
            self.plain.advance(KEY_REUSE)
            self.refusals.update({"key": refusal, fresh: refusal})
            try:
                return self.plain.call(operation, bodies[operation])
            finally:
                self.refusals.clear()

        return provoke


def refused(call):
    try:
        call()
    except Exception as refusal:  # walk.Refused, which this module can't import
        return getattr(refusal, "code", None)
    return None


# Where the ARN is that a request is about.
ARNS = {
    "CreateStateMachine": "roleArn",
    "DeleteActivity": "activityArn",
    "DeleteStateMachine": "stateMachineArn",
    "DeleteStateMachineAlias": "stateMachineAliasArn",
    "DeleteStateMachineVersion": "stateMachineVersionArn",
    "DescribeActivity": "activityArn",
    "DescribeExecution": "executionArn",
    "DescribeMapRun": "mapRunArn",
    "DescribeStateMachine": "stateMachineArn",
    "DescribeStateMachineAlias": "stateMachineAliasArn",
    "DescribeStateMachineForExecution": "executionArn",
    "GetActivityTask": "activityArn",
    "GetExecutionHistory": "executionArn",
    "ListExecutions": "stateMachineArn",
    "ListMapRuns": "executionArn",
    "ListStateMachineAliases": "stateMachineArn",
    "ListStateMachineVersions": "stateMachineArn",
    "ListTagsForResource": "resourceArn",
    "PublishStateMachineVersion": "stateMachineArn",
    "RedriveExecution": "executionArn",
    "StartExecution": "stateMachineArn",
    "StartSyncExecution": "stateMachineArn",
    "StopExecution": "executionArn",
    "TagResource": "resourceArn",
    "TestState": "roleArn",
    "UntagResource": "resourceArn",
    "UpdateMapRun": "mapRunArn",
    "UpdateStateMachine": "stateMachineArn",
    "UpdateStateMachineAlias": "stateMachineAliasArn",
}


def plain(operation, **body):
    """A request to the server with AWS's quotas."""
    return lambda w: w.plain.call(operation, {k: v(w) if callable(v) else v for k, v in body.items()})


def tight(operation, **body):
    """A request to the server whose quotas are used up."""
    return lambda w: w.tight.call(operation, {k: v(w) if callable(v) else v for k, v in body.items()})


def poll_twice(w):
    """Of two workers one waits, and the other is one too many."""
    refusals = queue.Queue()

    def poll():
        try:
            w.tight.call("GetActivityTask", {"activityArn": w.tight_activity})
        except Exception as refusal:
            refusals.put(refusal)

    for _ in range(2):
        threading.Thread(target=poll, daemon=True).start()
    raise refusals.get(timeout=30)


def at_the_same_time(operation, bodies):
    """Requests from several clients at once, until one of them is told that another was faster."""

    def provoke(w):
        refusals = []
        enough = threading.Event()

        def ask(number):
            for turn in range(200):
                if enough.is_set():
                    return
                try:
                    prepare, body = bodies(w, number, turn)
                    prepare()
                    w.plain.call(operation, body)
                except Exception as refusal:
                    if getattr(refusal, "code", None) == "ConflictException":
                        refusals.append(refusal)
                        enough.set()

        clients = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        if refusals:
            raise refusals[0]

    return provoke


def nothing():
    pass


def update_at_once(w, number, turn):
    return nothing, {"stateMachineArn": w.passing, "roleArn": f"{ROLE}-{number}-{turn}"}


def update_alias_at_once(w, number, turn):
    return nothing, {"stateMachineAliasArn": w.alias, "description": f"{number} {turn}"}


def create_at_once(w, number, turn):
    return nothing, {**NEW, "name": f"new-{turn}", "publish": True, "versionDescription": f"{number}"}


def sync_while_deleting(w):
    """An Express machine is being deleted as long as an execution of it runs; this one waits for a key."""
    task = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:kms:generateDataKey", "End": True}
    task["Parameters"] = {"KeyId": w.kms.held, "KeySpec": "AES_256"}
    definition = json.dumps({"StartAt": "T", "States": {"T": task}})
    body = {"stateMachineArn": w.machine("slow", definition, type="EXPRESS")}
    runs = threading.Thread(target=lambda: w.plain.call("StartSyncExecution", body))
    runs.start()
    try:
        if not w.kms.asked.wait(30):
            raise AssertionError("the execution never asked for its key")
        w.plain.call("DeleteStateMachine", body)
        return w.plain.call("StartSyncExecution", body)
    finally:
        w.kms.released.set()
        runs.join()


def delete_alias_at_once(w, number, turn):
    name = f"n{number}-{turn}"
    routes = [{"stateMachineVersionArn": w.version, "weight": 100}]
    create = {"name": name, "routingConfiguration": routes}
    body = {"stateMachineAliasArn": f"{w.passing}:{name}"}
    return lambda: w.plain.call("CreateStateMachineAlias", create), body


NO_MACHINE = f"{HERE}:stateMachine:none"
NO_MAP_RUN = f"{HERE}:mapRun:none/none:00000000-0000-0000-0000-000000000000"
NO_ROUTE = [{"stateMachineVersionArn": f"{NO_MACHINE}:1", "weight": 100}]
BAD_ROUTE = [{"stateMachineVersionArn": "nonsense", "weight": 100}]
TWO_TAGS = [{"key": "a", "value": ""}, {"key": "b", "value": ""}]
NO_KEY = {"type": "CUSTOMER_MANAGED_KMS_KEY"}
NEW = {"name": "new", "definition": PASS, "roleArn": ROLE}
NO_DESTINATION = {"level": "ALL"}

PROVOCATIONS = {
    # Quotas.
    ("CreateActivity", "ActivityLimitExceeded"): tight("CreateActivity", name="b"),
    ("CreateActivity", "TooManyTags"): tight("CreateActivity", name="b", tags=TWO_TAGS),
    ("CreateStateMachine", "StateMachineLimitExceeded"): tight("CreateStateMachine", **NEW),
    ("CreateStateMachine", "StateMachineTypeNotSupported"): tight(
        "CreateStateMachine", **NEW, type="EXPRESS"
    ),
    ("CreateStateMachine", "TooManyTags"): tight("CreateStateMachine", **NEW, tags=TWO_TAGS),
    ("TagResource", "TooManyTags"): tight(
        "TagResource", resourceArn=lambda w: w.tight_activity, tags=TWO_TAGS
    ),
    ("CreateStateMachineAlias", "ServiceQuotaExceededException"): tight(
        "CreateStateMachineAlias", name="two", routingConfiguration=lambda w: w.tight_routes
    ),
    ("PublishStateMachineVersion", "ServiceQuotaExceededException"): tight(
        "PublishStateMachineVersion", stateMachineArn=lambda w: w.tight_machine
    ),
    ("UpdateStateMachine", "ServiceQuotaExceededException"): tight(
        "UpdateStateMachine",
        stateMachineArn=lambda w: w.tight_machine,
        roleArn=ROLE + "3",
        publish=True,
    ),
    ("StartExecution", "ExecutionLimitExceeded"): tight(
        "StartExecution", stateMachineArn=lambda w: w.tight_machine
    ),
    ("RedriveExecution", "ExecutionLimitExceeded"): tight(
        "RedriveExecution", executionArn=lambda w: w.tight_failed
    ),
    ("GetActivityTask", "ActivityWorkerLimitExceeded"): poll_twice,
    # What there is already, or no longer.
    ("CreateActivity", "ActivityAlreadyExists"): lambda w: w.plain.call(
        "CreateActivity", {"name": "a", "encryptionConfiguration": w.key("key")}
    ),
    ("CreateStateMachine", "StateMachineAlreadyExists"): plain("CreateStateMachine", **{**NEW, "name": "m"}),
    ("CreateStateMachine", "StateMachineDeleting"): plain(
        "CreateStateMachine", **{**NEW, "name": "deleting"}
    ),
    ("UpdateStateMachine", "StateMachineDeleting"): plain(
        "UpdateStateMachine", stateMachineArn=lambda w: w.deleting, definition=PASS
    ),
    ("CreateStateMachineAlias", "StateMachineDeleting"): lambda w: w.plain.call(
        "CreateStateMachineAlias", {**w.deleting_alias, "name": "next"}
    ),
    ("StartSyncExecution", "StateMachineDeleting"): sync_while_deleting,
    ("UpdateStateMachineAlias", "StateMachineDeleting"): plain(
        "UpdateStateMachineAlias", stateMachineAliasArn=lambda w: f"{w.deleting}:old", description="d"
    ),
    ("ListStateMachineAliases", "StateMachineDeleting"): plain(
        "ListStateMachineAliases", stateMachineArn=lambda w: w.deleting
    ),
    ("StartExecution", "ExecutionAlreadyExists"): plain(
        "StartExecution", stateMachineArn=lambda w: w.working, name="running", input='{"a": 2}'
    ),
    ("CreateStateMachineAlias", "ResourceNotFound"): plain(
        "CreateStateMachineAlias", name="x", routingConfiguration=NO_ROUTE
    ),
    ("DeleteStateMachineAlias", "ResourceNotFound"): plain(
        "DeleteStateMachineAlias", stateMachineAliasArn=f"{NO_MACHINE}:x"
    ),
    ("DescribeStateMachineAlias", "ResourceNotFound"): plain(
        "DescribeStateMachineAlias", stateMachineAliasArn=lambda w: f"{w.passing}:none"
    ),
    ("UpdateStateMachineAlias", "ResourceNotFound"): plain(
        "UpdateStateMachineAlias", stateMachineAliasArn=lambda w: f"{w.passing}:none", description="d"
    ),
    ("ListStateMachineAliases", "ResourceNotFound"): plain(
        "ListStateMachineAliases", stateMachineArn=lambda w: w.alias
    ),
    ("ListTagsForResource", "ResourceNotFound"): plain("ListTagsForResource", resourceArn=NO_MACHINE),
    ("TagResource", "ResourceNotFound"): plain("TagResource", resourceArn=NO_MACHINE, tags=[]),
    ("UntagResource", "ResourceNotFound"): plain("UntagResource", resourceArn=NO_MACHINE, tagKeys=["a"]),
    ("ListExecutions", "ResourceNotFound"): plain("ListExecutions", mapRunArn=NO_MAP_RUN),
    ("DescribeMapRun", "ResourceNotFound"): plain("DescribeMapRun", mapRunArn=NO_MAP_RUN),
    ("UpdateMapRun", "ResourceNotFound"): plain("UpdateMapRun", mapRunArn=NO_MAP_RUN, maxConcurrency=1),
    # What can't be read, or does not fit.
    ("CreateActivity", "InvalidName"): plain("CreateActivity", name="two words"),
    ("CreateStateMachine", "InvalidName"): plain("CreateStateMachine", **{**NEW, "name": "two words"}),
    ("StartExecution", "InvalidName"): plain(
        "StartExecution", stateMachineArn=lambda w: w.working, name="two words"
    ),
    ("StartSyncExecution", "InvalidName"): plain(
        "StartSyncExecution", stateMachineArn=lambda w: w.express, name="two words"
    ),
    ("CreateStateMachineAlias", "InvalidArn"): plain(
        "CreateStateMachineAlias", name="x", routingConfiguration=BAD_ROUTE
    ),
    ("CreateStateMachine", "InvalidDefinition"): plain("CreateStateMachine", **{**NEW, "definition": "{}"}),
    ("UpdateStateMachine", "InvalidDefinition"): plain(
        "UpdateStateMachine", stateMachineArn=lambda w: w.passing, definition="{}"
    ),
    ("TestState", "InvalidDefinition"): plain("TestState", definition="{}"),
    ("StartExecution", "InvalidExecutionInput"): plain(
        "StartExecution", stateMachineArn=lambda w: w.working, input="nonsense"
    ),
    ("StartSyncExecution", "InvalidExecutionInput"): plain(
        "StartSyncExecution", stateMachineArn=lambda w: w.express, input="nonsense"
    ),
    ("TestState", "InvalidExecutionInput"): plain(
        "TestState", definition=json.dumps({"Type": "Pass", "End": True}), input="nonsense"
    ),
    ("SendTaskSuccess", "InvalidOutput"): plain(
        "SendTaskSuccess", taskToken=lambda w: w.ended_token, output="nonsense"
    ),
    ("CreateStateMachine", "InvalidLoggingConfiguration"): plain(
        "CreateStateMachine", **NEW, loggingConfiguration=NO_DESTINATION
    ),
    ("UpdateStateMachine", "InvalidLoggingConfiguration"): plain(
        "UpdateStateMachine", stateMachineArn=lambda w: w.passing, loggingConfiguration=NO_DESTINATION
    ),
    ("CreateStateMachine", "InvalidTracingConfiguration"): plain(
        "CreateStateMachine", **NEW, tracingConfiguration={}
    ),
    ("UpdateStateMachine", "InvalidTracingConfiguration"): plain(
        "UpdateStateMachine", stateMachineArn=lambda w: w.passing, tracingConfiguration={}
    ),
    ("CreateActivity", "InvalidEncryptionConfiguration"): plain(
        "CreateActivity", name="new", encryptionConfiguration=NO_KEY
    ),
    ("CreateStateMachine", "InvalidEncryptionConfiguration"): plain(
        "CreateStateMachine", **NEW, encryptionConfiguration=NO_KEY
    ),
    ("UpdateStateMachine", "InvalidEncryptionConfiguration"): plain(
        "UpdateStateMachine", stateMachineArn=lambda w: w.passing, encryptionConfiguration=NO_KEY
    ),
    ("UpdateStateMachine", "MissingRequiredParameter"): plain(
        "UpdateStateMachine", stateMachineArn=lambda w: w.passing
    ),
    ("ListExecutions", "StateMachineTypeNotSupported"): plain(
        "ListExecutions", stateMachineArn=lambda w: w.express
    ),
    ("StartSyncExecution", "StateMachineTypeNotSupported"): plain(
        "StartSyncExecution", stateMachineArn=lambda w: w.working
    ),
    ("RedriveExecution", "ExecutionNotRedrivable"): plain(
        "RedriveExecution", executionArn=lambda w: w.ended
    ),
    # What stands in another's way.
    ("CreateStateMachineAlias", "ConflictException"): plain(
        "CreateStateMachineAlias",
        name="live",
        description="another",
        routingConfiguration=lambda w: [{"stateMachineVersionArn": w.version, "weight": 100}],
    ),
    ("DeleteStateMachineVersion", "ConflictException"): plain(
        "DeleteStateMachineVersion", stateMachineVersionArn=lambda w: w.version
    ),
    ("PublishStateMachineVersion", "ConflictException"): plain(
        "PublishStateMachineVersion", stateMachineArn=lambda w: w.passing, revisionId="another"
    ),
    ("CreateStateMachine", "ConflictException"): at_the_same_time("CreateStateMachine", create_at_once),
    ("UpdateStateMachine", "ConflictException"): at_the_same_time("UpdateStateMachine", update_at_once),
    ("UpdateStateMachineAlias", "ConflictException"): at_the_same_time(
        "UpdateStateMachineAlias", update_alias_at_once
    ),
    ("DeleteStateMachineAlias", "ConflictException"): at_the_same_time(
        "DeleteStateMachineAlias", delete_alias_at_once
    ),
}
