// Checks Annals with the AWS SDK for JavaScript. ../checks.txt says what.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import * as sfn from "@aws-sdk/client-sfn";

const { version } = createRequire(import.meta.url)("@aws-sdk/client-sfn/package.json");
const machine = "arn:aws:states:us-east-1:123456789012:execution:Machine:";
const allTypes = { executionArn: machine + "all_types" };
const thousandEvents = { executionArn: machine + "thousand_events" };
const nobody = { executionArn: machine + "nobody" };

const annals = new sfn.SFNClient();
const reference = new sfn.SFNClient({ endpoint: process.env.ANNALS_REFERENCE });

async function check(name, run) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`not ok ${name}: ${String(error).replaceAll("\n", " ")}`);
  }
}

async function history(client, request) {
  const { events } = await client.send(new sfn.GetExecutionHistoryCommand(request));
  return events;
}

async function expectEvents(events, request) {
  assert.deepEqual(events, await history(reference, request));
}

async function pages(pageSize, request) {
  const config = { client: annals, pageSize };
  const sizes = [];
  const events = [];
  // The paginator writes into the request that it gets.
  for await (const page of sfn.paginateGetExecutionHistory(config, { ...request })) {
    sizes.push(page.events.length);
    events.push(...page.events);
  }
  sizes.pop();
  assert(
    sizes.every((size) => size === (pageSize ?? 100)),
    `pages of ${sizes}`,
  );
  await expectEvents(events, request);
}

async function expectError(request, kind, message) {
  await assert.rejects(history(annals, request), (error) => {
    assert(error instanceof kind, `${error}`);
    assert.equal(error.message, message);
    return true;
  });
}

console.log(`version @aws-sdk/client-sfn ${version}, Node.js ${process.versions.node}`);

await check("history", async () => {
  const events = await history(annals, { ...allTypes, maxResults: 1000 });
  assert.equal(new Set(events.map((event) => event.type)).size, 62);
  await expectEvents(events, allTypes);
});
for (const size of [1, 7, 1000]) {
  await check(`forward_${size}`, () => pages(size, allTypes));
  await check(`reverse_${size}`, () => pages(size, { ...allTypes, reverseOrder: true }));
}
await check("thousand_events", () => pages(undefined, thousandEvents));
await check("without_data", async () => {
  const request = { ...allTypes, includeExecutionData: false };
  await expectEvents(await history(annals, request), request);
});

await check("execution_does_not_exist", () =>
  expectError(
    nobody,
    sfn.ExecutionDoesNotExist,
    `Execution Does Not Exist: '${nobody.executionArn}'`,
  ),
);
await check("invalid_arn", () =>
  expectError(
    { executionArn: "hello" },
    sfn.InvalidArn,
    "Invalid Arn: 'Invalid ARN prefix: hello'",
  ),
);
await check("invalid_token", () =>
  expectError({ ...allTypes, nextToken: "x" }, sfn.InvalidToken, "Invalid Token: 'Invalid token'"),
);
await check("validation", () =>
  expectError(
    { ...allTypes, maxResults: 1001 },
    sfn.ValidationException,
    "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: " +
      "Member must have value less than or equal to 1000",
  ),
);
