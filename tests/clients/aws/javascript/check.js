// Checks Annals with the AWS SDK for JavaScript. ../checks.txt says what.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import * as sfn from "@aws-sdk/client-sfn";

const { version } = createRequire(import.meta.url)("@aws-sdk/client-sfn/package.json");
const execution = "arn:aws:states:us-east-1:123456789012:execution:";
const stateMachineArn = "arn:aws:states:us-east-1:123456789012:stateMachine:Machine";
const names = ["all_types", "branches", "order_fulfilment", "redrive", "thousand_events"];
const allTypes = { executionArn: execution + "Machine:all_types" };
const nobody = { executionArn: execution + "Machine:nobody" };
const env = process.env;

// A client of Annals and one of the reference.
function connect(credentials, endpoint = env.AWS_ENDPOINT_URL) {
  return [endpoint, env.ANNALS_REFERENCE].map(
    (endpoint) => new sfn.SFNClient({ endpoint, credentials }),
  );
}

const usual = connect();

async function check(name, run) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`not ok ${name}: ${String(error).replaceAll("\n", " ")}`);
  }
}

async function history(request, clients = usual) {
  const command = new sfn.GetExecutionHistoryCommand(request);
  const [found, wanted] = await Promise.all(clients.map((client) => client.send(command)));
  assert.equal(new Set(found.events.map((event) => event.type)).size, 62);
  assert.deepEqual(found.events, wanted.events);
}

async function read(client, pageSize, request) {
  const pages = [];
  // The paginator writes into the request that it gets.
  for await (const page of sfn.paginateGetExecutionHistory({ client, pageSize }, { ...request })) {
    pages.push(page.events);
  }
  return pages;
}

// Without a size, it is the service's: 100.
async function pages(request, pageSize, clients = usual) {
  const [found, [wanted]] = await Promise.all(
    clients.map((client) => read(client, pageSize, request)),
  );
  const full = found.slice(0, -1).every((page) => page.length === (pageSize ?? 100));
  assert(full, `pages of ${found.map((page) => page.length)}`);
  assert.deepEqual(found.flat(), wanted);
}

async function describe() {
  for (const name of names) {
    const command = new sfn.DescribeExecutionCommand({
      executionArn: `${execution}Machine:${name}`,
    });
    const [found, wanted] = await Promise.all(usual.map((client) => client.send(command)));
    assert.deepEqual({ ...found, $metadata: {} }, { ...wanted, $metadata: {} });
  }
}

async function list(request) {
  const [found, [wanted]] = await Promise.all(
    usual.map(async (client) => {
      const pages = [];
      for await (const page of sfn.paginateListExecutions(
        { client, pageSize: 2 },
        { ...request },
      )) {
        pages.push(page.executions);
      }
      return pages;
    }),
  );
  assert(found.slice(0, -1).every((page) => page.length === 2));
  assert.deepEqual(found.flat(), wanted);
}

async function fails(
  request,
  name,
  kind,
  clients = usual,
  Command = sfn.GetExecutionHistoryCommand,
) {
  const command = new Command(request);
  const [found, wanted] = await Promise.all(
    clients.map((client) =>
      client.send(command).then(
        () => assert.fail("no error"),
        (error) => error,
      ),
    ),
  );
  assert(found instanceof kind, `${found}`);
  assert.equal(found.name, name);
  assert.equal(found.message, wanted.message);
  return found;
}

function encrypted(name) {
  return { executionArn: `${execution}Encrypted:${name}` };
}

function key(accessKeyId, secretAccessKey, sessionToken) {
  return connect({ accessKeyId, secretAccessKey, sessionToken });
}

console.log(`version @aws-sdk/client-sfn ${version}, Node.js ${process.versions.node}`);
await check("history", () => history(allTypes));
for (const size of [1, 7, 1000]) {
  await check(`forward_${size}`, () => pages(allTypes, size));
  await check(`reverse_${size}`, () => pages({ ...allTypes, reverseOrder: true }, size));
}
await check("thousand_events", () =>
  pages({ executionArn: execution + "Machine:thousand_events" }),
);
await check("without_data", () => history({ ...allTypes, includeExecutionData: false }));

await check("describe", describe);
await check("list", () => list({ stateMachineArn }));
await check("list_failed", () => list({ stateMachineArn, statusFilter: "FAILED" }));

await check("execution_does_not_exist", () =>
  fails(nobody, "ExecutionDoesNotExist", sfn.ExecutionDoesNotExist),
);
await check("invalid_arn", () => fails({ executionArn: "hello" }, "InvalidArn", sfn.InvalidArn));
await check("invalid_token", () =>
  fails({ ...allTypes, nextToken: "x" }, "InvalidToken", sfn.InvalidToken),
);
await check("validation", () =>
  fails({ ...allTypes, maxResults: 1001 }, "ValidationException", sfn.ValidationException),
);
await check("describe_nobody", () =>
  fails(
    nobody,
    "ExecutionDoesNotExist",
    sfn.ExecutionDoesNotExist,
    usual,
    sfn.DescribeExecutionCommand,
  ),
);
await check("kms_access_denied", () =>
  fails(encrypted("denied"), "KmsAccessDeniedException", sfn.KmsAccessDeniedException),
);
await check("kms_invalid_state", async () => {
  const request = encrypted("disabled");
  const error = await fails(request, "KmsInvalidStateException", sfn.KmsInvalidStateException);
  assert.equal(error.kmsKeyState, sfn.KmsKeyState.DISABLED);
});
await check("kms_throttling", () =>
  fails(encrypted("throttled"), "KmsThrottlingException", sfn.KmsThrottlingException),
);

// These belong to all of AWS's services, and have no classes in this one's client.
await check("session_token", () => history(allTypes, key("ASIACLIENTS", "temporary", "token")));
const wrong = key("AKIAWRONG", "wrong");
await check("wrong_secret", () =>
  fails(allTypes, "InvalidSignatureException", sfn.SFNServiceException, wrong),
);
const stranger = key("AKIANOBODY", "secret");
await check("unknown_key", () =>
  fails(allTypes, "UnrecognizedClientException", sfn.SFNServiceException, stranger),
);
const other = { executionArn: execution + "Other:all_types" };
await check("denied", () => fails(other, "AccessDeniedException", sfn.SFNServiceException));
await check("clock", () => history(allTypes, connect(undefined, env.ANNALS_AHEAD)));
await check("throttled", () => pages(allTypes, 20, connect(undefined, env.ANNALS_BUSY)));
