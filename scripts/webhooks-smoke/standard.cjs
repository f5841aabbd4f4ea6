// npm's `standardwebhooks`, for smoke.py: a question as JSON in the first argument, an answer as JSON.
const { Webhook } = require("standardwebhooks");

const { secret, id, seconds, body, headers } = JSON.parse(process.argv[2]);
const webhook = new Webhook(secret);
const answer = headers
  ? { verified: webhook.verify(body, headers) }
  : { signature: webhook.sign(id, new Date(seconds * 1000), body) };
console.log(JSON.stringify(answer));
