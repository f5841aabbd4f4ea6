// An appraiser who has a year to answer, and all that can go wrong with that, without waiting.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import {
  CreateActivityCommand,
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  GetActivityTaskCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  StartExecutionCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn";
import { startRejoin } from "./rejoin.js";

const YEAR = 365 * 24 * 3600;

let rejoin;
before(async () => {
  rejoin = await startRejoin();
});
after(() => rejoin?.stop());

const send = (command) => rejoin.sfn.send(command);

/** One application for a loan, whose valuation an appraiser (a worker of an activity) has to send. */
async function begin(limits) {
  const name = `valuation-${randomUUID()}`;
  const { activityArn } = await send(new CreateActivityCommand({ name }));
  const States = {
    Appraise: {
      Type: "Task",
      Resource: activityArn,
      Catch: [{ ErrorEquals: ["States.Timeout"], ResultPath: "$.why", Next: "Ask a person" }],
      End: true,
      ...limits,
    },
    "Ask a person": { Type: "Pass", Result: "asked a person", End: true },
  };
  const roleArn = "arn:aws:iam::123456789012:role/any";
  const definition = JSON.stringify({ StartAt: "Appraise", States });
  const { stateMachineArn } = await send(new CreateStateMachineCommand({ name, roleArn, definition }));
  const { executionArn } = await send(new StartExecutionCommand({ stateMachineArn }));
  return { activityArn, executionArn };
}

const token = async ({ activityArn }) => (await send(new GetActivityTaskCommand({ activityArn }))).taskToken;

/** How it ended, and after how many (virtual) seconds. */
async function ended({ executionArn }) {
  const found = await send(new DescribeExecutionCommand({ executionArn }));
  return [found.status, JSON.parse(found.output), (found.stopDate - found.startDate) / 1000];
}

test("a year without an answer takes less than a second", async () => {
  const execution = await begin({ TimeoutSeconds: YEAR });
  const began = performance.now();
  await rejoin.untilEnded(execution.executionArn);
  assert.ok(performance.now() - began < 1000);
  assert.deepEqual(await ended(execution), ["SUCCEEDED", "asked a person", YEAR]);
});

test("an answer that comes late changes nothing", async () => {
  const execution = await begin({ TimeoutSeconds: YEAR });
  const taskToken = await token(execution);
  await rejoin.advance(YEAR + 60);
  await assert.rejects(send(new SendTaskSuccessCommand({ taskToken, output: "250000" })), { name: "TaskTimedOut" });
  assert.deepEqual(await ended(execution), ["SUCCEEDED", "asked a person", YEAR]);
});

test("heartbeats that stop are noticed", async () => {
  const execution = await begin({ HeartbeatSeconds: 60, TimeoutSeconds: YEAR });
  const taskToken = await token(execution);
  for (let beat = 0; beat < 5; beat += 1) {
    await rejoin.advance(50);
    await send(new SendTaskHeartbeatCommand({ taskToken }));
  }
  await rejoin.untilEnded(execution.executionArn);
  assert.deepEqual(await ended(execution), ["SUCCEEDED", "asked a person", 5 * 50 + 60]);
});

test("what can never end says what it waits for", async () => {
  const execution = await begin({});
  await assert.rejects(rejoin.untilEnded(execution.executionArn), /waits in Appraise for a worker of its activity/);
  await send(new StopExecutionCommand({ executionArn: execution.executionArn }));
});
