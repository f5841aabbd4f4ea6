// A Rejoin on the virtual clock, the AWS SDK pointed at it, and its clock.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { SFNClient } from "@aws-sdk/client-sfn";

/** Starts a server of its own: in memory, on a free port, its time standing until it is moved. */
export async function startRejoin() {
  const program = process.env.REJOIN ?? "rejoin";
  const server = spawn(program, ["serve", "--clock", "virtual", "--in-memory", "--listen", "127.0.0.1:0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("exit", resolve);
  });
  const lines = createInterface({ input: server.stdout });
  const first = await Promise.race([
    new Promise((resolve) => lines.once("line", resolve)),
    ended.then((code) => Promise.reject(new Error(`the server ended with ${code}`))),
  ]);
  const url = first.match(/http:\/\/\S+/)[0];
  const credentials = { accessKeyId: "any", secretAccessKey: "any" };
  const sfn = new SFNClient({ endpoint: url, region: "us-east-1", credentials });

  /** `POST /rejoin/clock/...`; a refusal is an error with the server's own words. */
  async function clock(order, body = {}) {
    const answer = await fetch(`${url}/rejoin/clock/${order}`, { method: "POST", body: JSON.stringify(body) });
    const said = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(`${said.message}; ${said.hint}`), { said });
    return said;
  }

  return {
    sfn,
    advance: (seconds) => clock("advance", { seconds }),
    untilEnded: (executionArn) => clock("until-ended", { executionArn }),
    async stop() {
      sfn.destroy();
      server.kill();
      await ended;
    },
  };
}
