// Appends a history, reads it in both directions, follows it, and handles errors.
//
// Usage: example EXECUTION_ARN
// How to build and run it: ../README.md

#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "annals/v1/history_service.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace v1 = annals::v1;

namespace {

constexpr char kServiceConfig[] = "../../../proto/annals/v1/history_service_config.json";

v1::HistoryEvent Started() {
  v1::HistoryEvent event;
  event.set_id(1);
  event.set_type(v1::HISTORY_EVENT_TYPE_EXECUTION_STARTED);
  event.mutable_execution_started_event_details()->set_input("{}");
  return event;
}

v1::HistoryEvent Entered(const std::string &state) {
  v1::HistoryEvent event;
  event.set_id(2);
  event.set_type(v1::HISTORY_EVENT_TYPE_PASS_STATE_ENTERED);
  event.set_previous_event_id(1);
  event.mutable_state_entered_event_details()->set_name(state);
  event.mutable_state_entered_event_details()->set_input("{}");
  return event;
}

v1::HistoryEvent Exited() {
  v1::HistoryEvent event;
  event.set_id(3);
  event.set_type(v1::HISTORY_EVENT_TYPE_PASS_STATE_EXITED);
  event.set_previous_event_id(2);
  event.mutable_state_exited_event_details()->set_name("Greet");
  event.mutable_state_exited_event_details()->set_output("\"hello\"");
  return event;
}

v1::HistoryEvent Succeeded() {
  v1::HistoryEvent event;
  event.set_id(4);
  event.set_type(v1::HISTORY_EVENT_TYPE_EXECUTION_SUCCEEDED);
  event.set_previous_event_id(3);
  event.mutable_execution_succeeded_event_details()->set_output("\"hello\"");
  return event;
}

std::string Variable(const char *name, const std::string &otherwise = "") {
  const char *value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

std::string Read(const std::string &path) {
  if (path.empty()) {
    return "";
  }
  std::ifstream file(path);
  if (!file) {
    throw std::runtime_error("cannot read " + path);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<grpc::ChannelCredentials> Credentials() {
  std::string ca = Read(Variable("ANNALS_CA_FILE"));
  if (ca.empty()) {
    return grpc::InsecureChannelCredentials();
  }
  auto tls = grpc::SslCredentials(
      {ca, Read(Variable("ANNALS_KEY_FILE")), Read(Variable("ANNALS_CERT_FILE"))});
  std::string token = Variable("ANNALS_TOKEN");
  return token.empty()
             ? tls
             : grpc::CompositeChannelCredentials(tls, grpc::AccessTokenCredentials(token));
}

std::shared_ptr<grpc::Channel> Connect() {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(Read(kServiceConfig));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
  return grpc::CreateCustomChannel(Variable("ANNALS_ENDPOINT", "127.0.0.1:50051"), Credentials(),
                                   arguments);
}

void Check(const grpc::Status &status) {
  if (!status.ok()) {
    throw std::runtime_error(status.error_message());
  }
}

// Why a call failed: the ErrorInfo in the google.rpc.Status in its trailer.
google::rpc::ErrorInfo ErrorInfo(const grpc::Status &failed) {
  google::rpc::Status status;
  google::rpc::ErrorInfo info;
  status.ParseFromString(failed.error_details());
  for (const auto &detail : status.details()) {
    if (detail.UnpackTo(&info)) {
      break;
    }
  }
  return info;
}

void Show(const char *what, const v1::HistoryEvent &event) {
  std::cout << what << ": " << event.id() << " " << v1::HistoryEventType_Name(event.type()) << "\n";
}

class Example {
 public:
  explicit Example(std::string arn) : arn_(std::move(arn)) {
  }

  // May be repeated, as ids and events tell what is there already.
  grpc::Status Append(const std::vector<v1::HistoryEvent> &events, int64_t *ret_last = nullptr) {
    grpc::ClientContext context;
    v1::AppendHistoryEventsRequest request;
    v1::AppendHistoryEventsResponse response;
    request.set_execution_arn(arn_);
    request.mutable_events()->Assign(events.begin(), events.end());
    grpc::Status status = history_->AppendHistoryEvents(&context, request, &response);
    if (ret_last != nullptr) {
      *ret_last = response.last_event_id();
    }
    return status;
  }

  void PageThrough(const char *what, bool reverse) {
    v1::GetExecutionHistoryRequest request;
    v1::GetExecutionHistoryResponse page;
    request.set_execution_arn(arn_);
    request.set_max_results(2);
    request.set_reverse_order(reverse);
    do {
      grpc::ClientContext context;
      request.set_next_token(page.next_token());
      Check(history_->GetExecutionHistory(&context, request, &page));
      for (const auto &event : page.events()) {
        Show(what, event);
      }
    } while (!page.next_token().empty());
  }

  // Shows what is stored, then what is appended meanwhile, until the execution ends.
  void Follow() {
    grpc::ClientContext context;
    v1::WatchExecutionHistoryRequest request;
    v1::WatchExecutionHistoryResponse response;
    request.set_execution_arn(arn_);
    auto stream = history_->WatchExecutionHistory(&context, request);
    while (stream->Read(&response)) {
      for (const auto &event : response.events()) {
        Show("live", event);
        if (event.id() == Exited().id()) {
          Check(Append({Succeeded()}));
        }
      }
    }
    Check(stream->Finish());
  }

  void Conflict() {
    google::rpc::ErrorInfo info = ErrorInfo(Append({Entered("Other")}));
    if (info.reason() != "EVENT_CONFLICT") {
      throw std::runtime_error("no conflict");
    }
    std::cout << info.reason() << ": go on from " << info.metadata().at("expected_event_id")
              << "\n";
  }

  void NotFound() {
    grpc::ClientContext context;
    v1::GetExecutionHistoryRequest request;
    v1::GetExecutionHistoryResponse page;
    request.set_execution_arn(arn_ + "-other");
    google::rpc::ErrorInfo info =
        ErrorInfo(history_->GetExecutionHistory(&context, request, &page));
    if (info.reason() != "EXECUTION_DOES_NOT_EXIST") {
      throw std::runtime_error("found");
    }
    std::cout << info.reason() << ": " << info.metadata().at("execution_arn") << "\n";
  }

 private:
  std::string arn_;
  std::unique_ptr<v1::HistoryService::Stub> history_ = v1::HistoryService::NewStub(Connect());
};

void Run(const char *arn) {
  Example example(arn);
  int64_t last = 0;
  Check(example.Append({Started(), Entered("Greet"), Exited()}, &last));
  std::cout << "appended: " << last << "\n";
  example.PageThrough("forward", false);
  example.PageThrough("reverse", true);
  example.Follow();
  example.Conflict();
  example.NotFound();
}

}  // namespace

int main(int, char **argv) {
  try {
    Run(argv[1]);
  } catch (const std::exception &error) {
    std::cerr << error.what() << "\n";
    return EXIT_FAILURE;
  }
}
