"""An appraiser who has a year to answer, and all that can go wrong with that, without waiting."""

import json
import time
import uuid

import pytest
from conftest import Refused

YEAR = 365 * 24 * 3600


class Case:
    """One application for a loan, whose valuation an appraiser (a worker of an activity) has to send."""

    def __init__(self, sfn, limits):
        name = f"valuation-{uuid.uuid4()}"
        self.sfn = sfn
        self.activity = sfn.create_activity(name=name)["activityArn"]
        states = {
            "Appraise": {
                "Type": "Task",
                "Resource": self.activity,
                "Catch": [{"ErrorEquals": ["States.Timeout"], "ResultPath": "$.why", "Next": "Ask a person"}],
                "End": True,
                **limits,
            },
            "Ask a person": {"Type": "Pass", "Result": "asked a person", "End": True},
        }
        machine = sfn.create_state_machine(
            name=name,
            roleArn="arn:aws:iam::123456789012:role/any",
            definition=json.dumps({"StartAt": "Appraise", "States": states}),
        )
        started = sfn.start_execution(stateMachineArn=machine["stateMachineArn"])
        self.execution = started["executionArn"]

    def token(self):
        return self.sfn.get_activity_task(activityArn=self.activity)["taskToken"]

    def ended(self):
        """How it ended, and after how many (virtual) seconds."""
        found = self.sfn.describe_execution(executionArn=self.execution)
        lasted = (found["stopDate"] - found["startDate"]).total_seconds()
        return found["status"], json.loads(found["output"]), lasted


def test_a_year_without_an_answer_takes_less_than_a_second(sfn, clock):
    case = Case(sfn, {"TimeoutSeconds": YEAR})
    began = time.monotonic()
    clock.until_ended(case.execution)
    assert time.monotonic() - began < 1
    assert case.ended() == ("SUCCEEDED", "asked a person", YEAR)


def test_an_answer_on_the_last_day_is_in_time(sfn, clock):
    case = Case(sfn, {"TimeoutSeconds": YEAR})
    clock.advance(YEAR - 1)
    sfn.send_task_success(taskToken=case.token(), output="250000")
    clock.until_ended(case.execution)
    assert case.ended() == ("SUCCEEDED", 250_000, YEAR - 1)


def test_an_answer_that_comes_late_changes_nothing(sfn, clock):
    case = Case(sfn, {"TimeoutSeconds": YEAR})
    token = case.token()
    clock.advance(YEAR + 60)
    with pytest.raises(sfn.exceptions.TaskTimedOut):
        sfn.send_task_success(taskToken=token, output="250000")
    assert case.ended() == ("SUCCEEDED", "asked a person", YEAR)


def test_heartbeats_that_stop_are_noticed(sfn, clock):
    case = Case(sfn, {"HeartbeatSeconds": 60, "TimeoutSeconds": YEAR})
    token = case.token()
    for _ in range(5):
        clock.advance(50)
        sfn.send_task_heartbeat(taskToken=token)
    clock.until_ended(case.execution)
    assert case.ended() == ("SUCCEEDED", "asked a person", 5 * 50 + 60)


def test_what_can_never_end_says_what_it_waits_for(sfn, clock):
    case = Case(sfn, {})
    with pytest.raises(Refused, match="waits in Appraise for a worker of its activity") as refused:
        clock.until_ended(case.execution)
    assert refused.value.said["error"] == "NothingDue"
    sfn.stop_execution(executionArn=case.execution)
