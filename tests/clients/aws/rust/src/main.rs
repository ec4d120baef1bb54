//! Checks Annals with the AWS SDK for Rust. ../../checks.txt says what.

use std::collections::HashSet;
use std::env;
use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::process::Command;

use aws_sdk_sfn::config::retry::RetryConfig;
use aws_sdk_sfn::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_sfn::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sfn::operation::describe_execution::builders::DescribeExecutionFluentBuilder;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::operation::get_execution_history::builders::GetExecutionHistoryInputBuilder;
use aws_sdk_sfn::operation::get_execution_history::{
    GetExecutionHistoryError, GetExecutionHistoryInput,
};
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEventType, KmsKeyState};
use aws_sdk_sfn::Client;

const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:Machine";
const NAMES: [&str; 5] = [
    "all_types",
    "branches",
    "order_fulfilment",
    "redrive",
    "thousand_events",
];
const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:";

type Outcome = Result<(), Box<dyn Error>>;

/// A client of Annals and one of the reference.
struct Clients {
    annals: Client,
    reference: Client,
}

impl Clients {
    fn new(place: &str, credentials: Credentials) -> Self {
        Clients {
            annals: connect(place, credentials.clone()),
            reference: connect("ANNALS_REFERENCE", credentials),
        }
    }

    fn with_key(id: &str, secret: &str, token: Option<&str>) -> Self {
        let token = token.map(String::from);
        let credentials = Credentials::new(id, secret, token, None, "check");
        Clients::new("AWS_ENDPOINT_URL", credentials)
    }

    async fn history(&self, request: Request) -> Outcome {
        let events = request.clone().send_with(&self.annals).await?.events;
        let types: HashSet<_> = events.iter().map(|event| event.r#type.as_str()).collect();
        expect(
            types,
            HistoryEventType::values().iter().copied().collect(),
            "types",
        )?;
        expect(
            events,
            request.send_with(&self.reference).await?.events,
            "events",
        )
    }

    /// Reads through the paginator. A size of 0 leaves it to the service, and comes to 100.
    async fn pages(&self, name: &str, reverse: bool, size: usize) -> Outcome {
        let ask = |client: &Client| {
            client
                .get_execution_history()
                .execution_arn(arn(name))
                .reverse_order(reverse)
        };
        let mut pages = ask(&self.annals)
            .into_paginator()
            .page_size(size as i32)
            .send();
        let size = if size == 0 { 100 } else { size };
        let mut events = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page?.events;
            expect(
                (events.len() % size, page.len() <= size),
                (0, true),
                "sizes of pages",
            )?;
            events.extend(page);
        }
        expect(events, ask(&self.reference).send().await?.events, "events")
    }

    async fn describe(&self) -> Outcome {
        for name in NAMES {
            let found = describe(&self.annals, name).send().await?;
            let wanted = describe(&self.reference, name).send().await?;
            expect(outline(&found), outline(&wanted), "outline")?;
            expect(data(&found), data(&wanted), "data")?;
        }
        Ok(())
    }

    async fn list(&self, status: Option<ExecutionStatus>) -> Outcome {
        let ask = |client: &Client| {
            let request = client.list_executions().state_machine_arn(MACHINE);
            request.set_status_filter(status.clone())
        };
        let mut pages = ask(&self.annals).into_paginator().page_size(2).send();
        let mut executions = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page?.executions;
            expect(
                (executions.len() % 2, page.len() <= 2),
                (0, true),
                "sizes of pages",
            )?;
            executions.extend(page);
        }
        expect(
            executions,
            ask(&self.reference).send().await?.executions,
            "executions",
        )
    }

    async fn describe_nobody(&self) -> Outcome {
        let [found, wanted] = [&self.annals, &self.reference].map(|c| describe(c, "nobody").send());
        let (found, wanted) = (found.await.err(), wanted.await.err());
        let found = found.ok_or("no error")?.into_service_error();
        let wanted = wanted.ok_or("no error")?.into_service_error();
        expect(found.is_execution_does_not_exist(), true, "kind of error")?;
        expect(found.message(), wanted.message(), "message")
    }

    async fn fails(&self, request: Request, code: &str, is_kind: IsKind) -> Outcome {
        let found = refusal(&self.annals, request.clone()).await?;
        let wanted = refusal(&self.reference, request).await?;
        expect(is_kind(&found), true, "kind of error")?;
        expect(
            (found.code(), found.message()),
            (Some(code), wanted.message()),
            "error",
        )
    }
}

type Request = GetExecutionHistoryInputBuilder;
type IsKind = fn(&GetExecutionHistoryError) -> bool;

/// Not one of the errors that the SDK has for this operation: they differ by their codes alone.
fn is_of_no_kind(error: &GetExecutionHistoryError) -> bool {
    #[allow(deprecated)] // there is no other way to tell that an error has no type
    let is_of_no_kind = matches!(error, GetExecutionHistoryError::Unhandled(_));
    is_of_no_kind
}

fn is_disabled(error: &GetExecutionHistoryError) -> bool {
    match error {
        GetExecutionHistoryError::KmsInvalidStateException(error) => {
            error.kms_key_state() == Some(&KmsKeyState::Disabled)
        }
        _ => false,
    }
}

fn variable(name: &str) -> String {
    env::var(name).expect(name)
}

fn connect(place: &str, credentials: Credentials) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(credentials)
        .endpoint_url(variable(place))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new(variable("AWS_REGION")))
        .retry_config(RetryConfig::standard().with_max_attempts(10))
        .build();
    Client::from_conf(config)
}

fn arn(name: &str) -> String {
    format!("{EXECUTION}{name}")
}

fn request(name: &str) -> Request {
    GetExecutionHistoryInput::builder().execution_arn(arn(name))
}

async fn refusal(
    client: &Client,
    request: Request,
) -> Result<GetExecutionHistoryError, &'static str> {
    let error = request.send_with(client).await.err();
    error.map(SdkError::into_service_error).ok_or("no error")
}

fn describe(client: &Client, name: &str) -> DescribeExecutionFluentBuilder {
    let arn = arn(&format!("Machine:{name}"));
    client.describe_execution().execution_arn(arn)
}

/// What a description has in common with a listing, and whether it can be redriven.
fn outline(d: &DescribeExecutionOutput) -> impl Debug + PartialEq + '_ {
    (
        (&d.execution_arn, &d.state_machine_arn, &d.name, &d.status),
        (&d.start_date, &d.stop_date, &d.map_run_arn, &d.trace_header),
        (&d.state_machine_version_arn, &d.state_machine_alias_arn),
        (
            d.redrive_count,
            &d.redrive_date,
            &d.redrive_status,
            &d.redrive_status_reason,
        ),
    )
}

fn data(d: &DescribeExecutionOutput) -> impl Debug + PartialEq + '_ {
    (
        (&d.input, &d.input_details, &d.output, &d.output_details),
        (&d.error, &d.cause),
    )
}

fn expect<T: Debug + PartialEq>(found: T, wanted: T, what: &str) -> Outcome {
    if found == wanted {
        return Ok(());
    }
    Err(format!("other {what} than expected: {found:?} instead of {wanted:?}").into())
}

async fn check(name: &str, outcome: impl Future<Output = Outcome>) {
    match outcome.await {
        Ok(()) => println!("ok {name}"),
        Err(error) => {
            let why = DisplayErrorContext(&*error).to_string();
            println!("not ok {name}: {}", why.replace('\n', " "))
        }
    }
}

async fn check_errors(usual: &Clients) {
    let fails = usual.fails(
        request("Machine:nobody"),
        "ExecutionDoesNotExist",
        GetExecutionHistoryError::is_execution_does_not_exist,
    );
    check("execution_does_not_exist", fails).await;
    check("describe_nobody", usual.describe_nobody()).await;
    let hello = GetExecutionHistoryInput::builder().execution_arn("hello");
    let fails = usual.fails(
        hello,
        "InvalidArn",
        GetExecutionHistoryError::is_invalid_arn,
    );
    check("invalid_arn", fails).await;
    let token = request("Machine:all_types").next_token("x");
    let fails = usual.fails(
        token,
        "InvalidToken",
        GetExecutionHistoryError::is_invalid_token,
    );
    check("invalid_token", fails).await;
    let many = request("Machine:all_types").max_results(1001);
    let fails = usual.fails(many, "ValidationException", is_of_no_kind);
    check("validation", fails).await;
}

async fn check_keys(usual: &Clients) {
    let fails = usual.fails(
        request("Encrypted:denied"),
        "KmsAccessDeniedException",
        GetExecutionHistoryError::is_kms_access_denied_exception,
    );
    check("kms_access_denied", fails).await;
    let fails = usual.fails(
        request("Encrypted:disabled"),
        "KmsInvalidStateException",
        is_disabled,
    );
    check("kms_invalid_state", fails).await;
    let fails = usual.fails(
        request("Encrypted:throttled"),
        "KmsThrottlingException",
        GetExecutionHistoryError::is_kms_throttling_exception,
    );
    check("kms_throttling", fails).await;
}

async fn check_signatures(usual: &Clients, credentials: Credentials) {
    let all_types = || request("Machine:all_types");
    let temporary = Clients::with_key("ASIACLIENTS", "temporary", Some("token"));
    check("session_token", temporary.history(all_types())).await;
    let wrong = Clients::with_key("AKIAWRONG", "wrong", None);
    let fails = wrong.fails(all_types(), "InvalidSignatureException", is_of_no_kind);
    check("wrong_secret", fails).await;
    let nobody = Clients::with_key("AKIANOBODY", "secret", None);
    let fails = nobody.fails(all_types(), "UnrecognizedClientException", is_of_no_kind);
    check("unknown_key", fails).await;
    let other = request("Other:all_types");
    let fails = usual.fails(other, "AccessDeniedException", is_of_no_kind);
    check("denied", fails).await;
    let ahead = Clients::new("ANNALS_AHEAD", credentials.clone());
    check("clock", ahead.history(all_types())).await;
    let busy = Clients::new("ANNALS_BUSY", credentials);
    check("throttled", busy.pages("Machine:all_types", false, 20)).await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rustc = Command::new("rustc")
        .arg("--version")
        .output()
        .expect("rustc");
    println!(
        "version aws-sdk-sfn {}, {}",
        aws_sdk_sfn::meta::PKG_VERSION,
        String::from_utf8_lossy(&rustc.stdout).trim()
    );
    let (id, secret) = (
        variable("AWS_ACCESS_KEY_ID"),
        variable("AWS_SECRET_ACCESS_KEY"),
    );
    let credentials = Credentials::new(id, secret, None, None, "check");
    let usual = &Clients::new("AWS_ENDPOINT_URL", credentials.clone());

    check("history", usual.history(request("Machine:all_types"))).await;
    for size in [1, 7, 1000] {
        for (direction, reverse) in [("forward", false), ("reverse", true)] {
            let pages = usual.pages("Machine:all_types", reverse, size);
            check(&format!("{direction}_{size}"), pages).await;
        }
    }
    check(
        "thousand_events",
        usual.pages("Machine:thousand_events", false, 0),
    )
    .await;
    let bare = request("Machine:all_types").include_execution_data(false);
    check("without_data", usual.history(bare)).await;
    check("describe", usual.describe()).await;
    check("list", usual.list(None)).await;
    check("list_failed", usual.list(Some(ExecutionStatus::Failed))).await;
    check_errors(usual).await;
    check_keys(usual).await;
    check_signatures(usual, credentials).await;
}
