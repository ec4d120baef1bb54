//! Checks Annals with the AWS SDK for Rust. ../../checks.txt says what.

use std::collections::HashSet;
use std::env;
use std::error::Error;
use std::future::Future;
use std::process::Command;

use aws_sdk_sfn::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_sfn::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_sfn::operation::get_execution_history::builders::GetExecutionHistoryFluentBuilder;
use aws_sdk_sfn::operation::get_execution_history::GetExecutionHistoryError;
use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType};
use aws_sdk_sfn::Client;

const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:execution:Machine:";

type Outcome = Result<(), Box<dyn Error>>;

fn connect(url: &str) -> Client {
    let variable = |name| env::var(name).expect(name);
    let (id, secret) = (
        variable("AWS_ACCESS_KEY_ID"),
        variable("AWS_SECRET_ACCESS_KEY"),
    );
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new(id, secret, None, None, "check"))
        .endpoint_url(variable(url))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new(variable("AWS_REGION")))
        .build();
    Client::from_conf(config)
}

fn history(client: &Client, name: &str) -> GetExecutionHistoryFluentBuilder {
    client
        .get_execution_history()
        .execution_arn(format!("{MACHINE}{name}"))
}

async fn report(name: &str, check: impl Future<Output = Outcome>) {
    match check.await {
        Ok(()) => println!("ok {name}"),
        Err(error) => {
            println!(
                "not ok {name}: {}",
                DisplayErrorContext(&*error).to_string().replace('\n', " ")
            )
        }
    }
}

fn expect<T: PartialEq>(found: T, wanted: T, what: &str) -> Outcome {
    if found == wanted {
        Ok(())
    } else {
        Err(format!("other {what} than expected").into())
    }
}

async fn check_history(annals: &Client, reference: &Client, include_data: bool) -> Outcome {
    let ask = |client| {
        history(client, "all_types")
            .include_execution_data(include_data)
            .send()
    };
    let events = ask(annals).await?.events;
    let types: HashSet<_> = events.iter().map(|event| event.r#type.as_str()).collect();
    expect(
        types,
        HistoryEventType::values().iter().copied().collect(),
        "types",
    )?;
    expect(events, ask(reference).await?.events, "events")
}

/// Reads through the paginator. Without a size, it is the service's: 100.
async fn check_pages(
    annals: &Client,
    reference: &Client,
    name: &str,
    size: Option<i32>,
    reverse: bool,
) -> Outcome {
    let mut pages = history(annals, name)
        .reverse_order(reverse)
        .set_max_results(size)
        .into_paginator()
        .send();
    let mut events: Vec<HistoryEvent> = Vec::new();
    let size = size.unwrap_or(100) as usize;
    while let Some(page) = pages.next().await {
        let page = page?.events;
        expect(
            (events.len() % size, page.len() <= size),
            (0, true),
            "sizes of pages",
        )?;
        events.extend(page);
    }
    let whole = history(reference, name)
        .reverse_order(reverse)
        .send()
        .await?
        .events;
    expect(events, whole, "events")
}

async fn check_error(
    request: GetExecutionHistoryFluentBuilder,
    is_kind: fn(&GetExecutionHistoryError) -> bool,
    code: &str,
    message: impl AsRef<str>,
) -> Outcome {
    let error = request
        .send()
        .await
        .err()
        .ok_or("no error")?
        .into_service_error();
    let expected =
        is_kind(&error) && error.code() == Some(code) && error.message() == Some(message.as_ref());
    expected.then_some(()).ok_or_else(|| error.into())
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
    let (annals, reference) = (&connect("AWS_ENDPOINT_URL"), &connect("ANNALS_REFERENCE"));

    report("history", check_history(annals, reference, true)).await;
    for size in [1, 7, 1000] {
        for (direction, reverse) in [("forward", false), ("reverse", true)] {
            let check = check_pages(annals, reference, "all_types", Some(size), reverse);
            report(&format!("{direction}_{size}"), check).await;
        }
    }
    let check = check_pages(annals, reference, "thousand_events", None, false);
    report("thousand_events", check).await;
    report("without_data", check_history(annals, reference, false)).await;

    let nobody = check_error(
        history(annals, "nobody"),
        GetExecutionHistoryError::is_execution_does_not_exist,
        "ExecutionDoesNotExist",
        format!("Execution Does Not Exist: '{MACHINE}nobody'"),
    );
    report("execution_does_not_exist", nobody).await;
    let arn = check_error(
        annals.get_execution_history().execution_arn("hello"),
        GetExecutionHistoryError::is_invalid_arn,
        "InvalidArn",
        "Invalid Arn: 'Invalid ARN prefix: hello'",
    );
    report("invalid_arn", arn).await;
    let token = check_error(
        history(annals, "all_types").next_token("x"),
        GetExecutionHistoryError::is_invalid_token,
        "InvalidToken",
        "Invalid Token: 'Invalid token'",
    );
    report("invalid_token", token).await;
    // Not one of the errors that the SDK knows of this operation.
    let validation = check_error(
        history(annals, "all_types").max_results(1001),
        |_| true,
        "ValidationException",
        "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: \
         Member must have value less than or equal to 1000",
    );
    report("validation", validation).await;
}
