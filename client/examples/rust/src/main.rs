//! Appends a history, reads it in both directions, follows it, and handles errors.
//!
//! Usage: example EXECUTION_ARN
//! How to build and run it: ../README.md

use std::env;
use std::error::Error;
use std::fs;
use std::time::Duration;

use annals::history_event::Details;
use annals::history_service_client::HistoryServiceClient;
use annals::{
    AppendHistoryEventsRequest, ExecutionStartedEventDetails, ExecutionSucceededEventDetails,
    GetExecutionHistoryRequest, HistoryEvent, HistoryEventType, StateEnteredEventDetails,
    StateExitedEventDetails, WatchExecutionHistoryRequest,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Request, Status};
use tonic_types::{ErrorInfo, StatusExt};

mod annals {
    tonic::include_proto!("annals.v1");
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Client = HistoryServiceClient<InterceptedService<Channel, Bearer>>;

fn event(id: i64, r#type: HistoryEventType, details: Details) -> HistoryEvent {
    HistoryEvent {
        id,
        r#type: r#type.into(),
        previous_event_id: id - 1,
        details: Some(details),
        ..Default::default()
    }
}

fn started() -> HistoryEvent {
    let details = ExecutionStartedEventDetails {
        input: "{}".into(),
        ..Default::default()
    };
    event(
        1,
        HistoryEventType::ExecutionStarted,
        Details::ExecutionStartedEventDetails(details),
    )
}

fn entered(state: &str) -> HistoryEvent {
    let details = StateEnteredEventDetails {
        name: state.into(),
        input: "{}".into(),
        ..Default::default()
    };
    event(
        2,
        HistoryEventType::PassStateEntered,
        Details::StateEnteredEventDetails(details),
    )
}

fn exited() -> HistoryEvent {
    let details = StateExitedEventDetails {
        name: "Greet".into(),
        output: r#""hello""#.into(),
        ..Default::default()
    };
    event(
        3,
        HistoryEventType::PassStateExited,
        Details::StateExitedEventDetails(details),
    )
}

fn succeeded() -> HistoryEvent {
    let details = ExecutionSucceededEventDetails {
        output: r#""hello""#.into(),
        ..Default::default()
    };
    event(
        4,
        HistoryEventType::ExecutionSucceeded,
        Details::ExecutionSucceededEventDetails(details),
    )
}

/// Sends a bearer token with each call, if there is one.
#[derive(Clone)]
struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> std::result::Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

async fn connect() -> Result<Client> {
    let endpoint = env::var("ANNALS_ENDPOINT").unwrap_or_else(|_| "127.0.0.1:50051".into());
    let ca = env::var("ANNALS_CA_FILE").ok();
    let scheme = if ca.is_some() { "https" } else { "http" };
    let mut channel = Channel::from_shared(format!("{scheme}://{endpoint}"))?
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    let mut bearer = Bearer(None);
    if let Some(ca) = ca {
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(fs::read(ca)?));
        if let Ok(certificate) = env::var("ANNALS_CERT_FILE") {
            let key = fs::read(env::var("ANNALS_KEY_FILE")?)?;
            tls = tls.identity(Identity::from_pem(fs::read(certificate)?, key));
        }
        channel = channel.tls_config(tls)?;
        if let Ok(token) = env::var("ANNALS_TOKEN") {
            bearer.0 = Some(format!("Bearer {token}").parse()?);
        }
    }
    let channel = channel.connect().await?;
    Ok(HistoryServiceClient::with_interceptor(channel, bearer))
}

fn show(what: &str, event: &HistoryEvent) {
    println!("{what}: {} {}", event.id, event.r#type().as_str_name());
}

/// A request with a deadline. tonic reads no service config, which would tell that, and also which
/// failed calls are to be repeated: here they are not.
fn with_deadline<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(Duration::from_secs(30));
    request
}

/// Appends events. May be repeated, as ids and events tell what is there already.
async fn append(
    history: &mut Client,
    arn: &str,
    events: Vec<HistoryEvent>,
) -> std::result::Result<i64, Status> {
    let request = AppendHistoryEventsRequest {
        execution_arn: arn.into(),
        events,
        ..Default::default()
    };
    let response = history
        .append_history_events(with_deadline(request))
        .await?;
    Ok(response.into_inner().last_event_id)
}

async fn page_through(history: &mut Client, arn: &str, what: &str, reverse: bool) -> Result<()> {
    let mut request = GetExecutionHistoryRequest {
        execution_arn: arn.into(),
        max_results: 2,
        reverse_order: reverse,
        ..Default::default()
    };
    loop {
        let page = history
            .get_execution_history(with_deadline(request.clone()))
            .await?
            .into_inner();
        page.events.iter().for_each(|event| show(what, event));
        if page.next_token.is_empty() {
            return Ok(());
        }
        request.next_token = page.next_token;
    }
}

/// Shows what is stored, then what is appended meanwhile, until the execution ends.
async fn follow(history: &mut Client, arn: &str) -> Result<()> {
    let request = WatchExecutionHistoryRequest {
        execution_arn: arn.into(),
        ..Default::default()
    };
    let mut stream = history.watch_execution_history(request).await?.into_inner();
    while let Some(response) = stream.message().await? {
        for event in response.events {
            show("live", &event);
            if event.id == exited().id {
                append(history, arn, vec![succeeded()]).await?;
            }
        }
    }
    Ok(())
}

/// Why a call failed: the ErrorInfo in the google.rpc.Status in its trailer, with this reason.
fn error_info<T>(outcome: std::result::Result<T, Status>, reason: &str) -> Result<ErrorInfo> {
    let status = outcome.err().ok_or("the call succeeded")?;
    match status.get_details_error_info() {
        Some(info) if info.reason == reason => Ok(info),
        _ => Err(status.into()),
    }
}

async fn conflict(history: &mut Client, arn: &str) -> Result<()> {
    let outcome = append(history, arn, vec![entered("Other")]).await;
    let info = error_info(outcome, "EVENT_CONFLICT")?;
    println!(
        "{}: go on from {}",
        info.reason, info.metadata["expected_event_id"]
    );
    Ok(())
}

async fn not_found(history: &mut Client, arn: &str) -> Result<()> {
    let request = GetExecutionHistoryRequest {
        execution_arn: format!("{arn}-other"),
        ..Default::default()
    };
    let outcome = history.get_execution_history(with_deadline(request)).await;
    let info = error_info(outcome, "EXECUTION_DOES_NOT_EXIST")?;
    println!("{}: {}", info.reason, info.metadata["execution_arn"]);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arn = env::args().nth(1).ok_or("which execution?")?;
    let mut history = connect().await?;
    let events = vec![started(), entered("Greet"), exited()];
    println!("appended: {}", append(&mut history, &arn, events).await?);
    page_through(&mut history, &arn, "forward", false).await?;
    page_through(&mut history, &arn, "reverse", true).await?;
    follow(&mut history, &arn).await?;
    conflict(&mut history, &arn).await?;
    not_found(&mut history, &arn).await
}
