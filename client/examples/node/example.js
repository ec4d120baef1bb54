// Appends a history, reads it in both directions, follows it, and handles errors.
//
// Usage: node example.js EXECUTION_ARN
// How to build and run it: ../README.md
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const PROTO = new URL("../../../proto/", import.meta.url).pathname;
const SERVICE_CONFIG = PROTO + "annals/v1/history_service_config.json";

// Messages are plain objects, enums are their names, and 64-bit integers are numbers.
const definitions = protoLoader.loadSync(
  ["annals/v1/history_service.proto", "google/rpc/status.proto", "google/rpc/error_details.proto"],
  { includeDirs: [PROTO], enums: String, longs: Number, defaults: true },
);
const { annals } = grpc.loadPackageDefinition(definitions);

const STARTED = {
  id: 1,
  type: "HISTORY_EVENT_TYPE_EXECUTION_STARTED",
  executionStartedEventDetails: { input: "{}" },
};
const ENTERED = {
  id: 2,
  type: "HISTORY_EVENT_TYPE_PASS_STATE_ENTERED",
  previousEventId: 1,
  stateEnteredEventDetails: { name: "Greet", input: "{}" },
};
const EXITED = {
  id: 3,
  type: "HISTORY_EVENT_TYPE_PASS_STATE_EXITED",
  previousEventId: 2,
  stateExitedEventDetails: { name: "Greet", output: '"hello"' },
};
const SUCCEEDED = {
  id: 4,
  type: "HISTORY_EVENT_TYPE_EXECUTION_SUCCEEDED",
  previousEventId: 3,
  executionSucceededEventDetails: { output: '"hello"' },
};

function credentials() {
  const { ANNALS_CA_FILE, ANNALS_KEY_FILE, ANNALS_CERT_FILE, ANNALS_TOKEN } = process.env;
  if (!ANNALS_CA_FILE) {
    return grpc.credentials.createInsecure();
  }
  const read = (path) => (path ? readFileSync(path) : null);
  const tls = grpc.credentials.createSsl(
    read(ANNALS_CA_FILE),
    read(ANNALS_KEY_FILE),
    read(ANNALS_CERT_FILE),
  );
  if (!ANNALS_TOKEN) {
    return tls;
  }
  const token = new grpc.Metadata();
  token.set("authorization", `Bearer ${ANNALS_TOKEN}`);
  const bearer = grpc.credentials.createFromMetadataGenerator((_, done) => done(null, token));
  return grpc.credentials.combineChannelCredentials(tls, bearer);
}

function connect() {
  const endpoint = process.env.ANNALS_ENDPOINT ?? "127.0.0.1:50051";
  return new annals.v1.HistoryService(endpoint, credentials(), {
    "grpc.service_config": readFileSync(SERVICE_CONFIG, "utf8"),
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
  });
}

// Why a call failed: the ErrorInfo in the google.rpc.Status in its trailer.
function errorInfo(error) {
  const [trailer] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!trailer) {
    throw error;
  }
  const { details } = definitions["google.rpc.Status"].deserialize(trailer);
  const info = details.find((detail) => detail.type_url.endsWith("/google.rpc.ErrorInfo"));
  return definitions["google.rpc.ErrorInfo"].deserialize(info.value);
}

function show(what, event) {
  console.log(`${what}: ${event.id} ${event.type}`);
}

async function pageThrough(call, what, reverseOrder) {
  let nextToken = "";
  do {
    const page = await call.get({ executionArn: arn, maxResults: 2, reverseOrder, nextToken });
    page.events.forEach((event) => show(what, event));
    nextToken = page.nextToken;
  } while (nextToken);
}

// Shows what is stored, then what is appended meanwhile, until the execution ends.
async function follow(history, call) {
  for await (const response of history.watchExecutionHistory({ executionArn: arn })) {
    for (const event of response.events) {
      show("live", event);
      if (event.id === EXITED.id) {
        await call.append({ executionArn: arn, events: [SUCCEEDED] });
      }
    }
  }
}

async function conflict(call) {
  const other = { ...ENTERED, stateEnteredEventDetails: { name: "Other", input: "{}" } };
  try {
    await call.append({ executionArn: arn, events: [other] });
  } catch (error) {
    const { reason, metadata } = errorInfo(error);
    if (reason !== "EVENT_CONFLICT") {
      throw error;
    }
    console.log(`${reason}: go on from ${metadata.expected_event_id}`);
  }
}

async function notFound(call) {
  try {
    await call.get({ executionArn: arn + "-other" });
  } catch (error) {
    const { reason, metadata } = errorInfo(error);
    if (reason !== "EXECUTION_DOES_NOT_EXIST") {
      throw error;
    }
    console.log(`${reason}: ${metadata.execution_arn}`);
  }
}

const arn = process.argv[2];
const history = connect();
const call = {
  // May be repeated, as ids and events tell what is there already.
  append: promisify(history.appendHistoryEvents).bind(history),
  get: promisify(history.getExecutionHistory).bind(history),
};
const { lastEventId } = await call.append({
  executionArn: arn,
  events: [STARTED, ENTERED, EXITED],
});
console.log(`appended: ${lastEventId}`);
await pageThrough(call, "forward", false);
await pageThrough(call, "reverse", true);
await follow(history, call);
await conflict(call);
await notFound(call);
history.close();
