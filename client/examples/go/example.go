// Command example appends a history, reads it in both directions, follows it, and handles errors.
//
// Usage: example EXECUTION_ARN
// How to build and run it: ../README.md
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	annals "annals/v1"
)

const serviceConfig = "../../../proto/annals/v1/history_service_config.json"

var (
	started = &annals.HistoryEvent{
		Id:   1,
		Type: annals.HistoryEventType_HISTORY_EVENT_TYPE_EXECUTION_STARTED,
		Details: &annals.HistoryEvent_ExecutionStartedEventDetails{
			ExecutionStartedEventDetails: &annals.ExecutionStartedEventDetails{Input: "{}"},
		},
	}
	exited = &annals.HistoryEvent{
		Id:              3,
		Type:            annals.HistoryEventType_HISTORY_EVENT_TYPE_PASS_STATE_EXITED,
		PreviousEventId: 2,
		Details: &annals.HistoryEvent_StateExitedEventDetails{
			StateExitedEventDetails: &annals.StateExitedEventDetails{Name: "Greet", Output: `"hello"`},
		},
	}
	succeeded = &annals.HistoryEvent{
		Id:              4,
		Type:            annals.HistoryEventType_HISTORY_EVENT_TYPE_EXECUTION_SUCCEEDED,
		PreviousEventId: 3,
		Details: &annals.HistoryEvent_ExecutionSucceededEventDetails{
			ExecutionSucceededEventDetails: &annals.ExecutionSucceededEventDetails{Output: `"hello"`},
		},
	}
)

func entered(state string) *annals.HistoryEvent {
	return &annals.HistoryEvent{
		Id:              2,
		Type:            annals.HistoryEventType_HISTORY_EVENT_TYPE_PASS_STATE_ENTERED,
		PreviousEventId: 1,
		Details: &annals.HistoryEvent_StateEnteredEventDetails{
			StateEnteredEventDetails: &annals.StateEnteredEventDetails{Name: state, Input: "{}"},
		},
	}
}

// transport is TLS if there is a file of CAs, with the client's certificate if there is one.
func transport() (credentials.TransportCredentials, error) {
	caFile := os.Getenv("ANNALS_CA_FILE")
	if caFile == "" {
		return insecure.NewCredentials(), nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificates", caFile)
	}
	if certFile := os.Getenv("ANNALS_CERT_FILE"); certFile != "" {
		certificate, err := tls.LoadX509KeyPair(certFile, os.Getenv("ANNALS_KEY_FILE"))
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return credentials.NewTLS(config), nil
}

// bearer is a token that is sent with each call.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool {
	return true
}

func connect() (*grpc.ClientConn, error) {
	endpoint := os.Getenv("ANNALS_ENDPOINT")
	if endpoint == "" {
		endpoint = "127.0.0.1:50051"
	}
	config, err := os.ReadFile(serviceConfig)
	if err != nil {
		return nil, err
	}
	secure, err := transport()
	if err != nil {
		return nil, err
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(secure),
		grpc.WithDefaultServiceConfig(string(config)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time:    30 * time.Second,
			Timeout: 10 * time.Second,
		}),
	}
	if token := os.Getenv("ANNALS_TOKEN"); token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(token)))
	}
	return grpc.NewClient(endpoint, options...)
}

func show(what string, event *annals.HistoryEvent) {
	fmt.Printf("%s: %d %s\n", what, event.Id, event.Type)
}

type example struct {
	history annals.HistoryServiceClient
	arn     string
}

// add appends events. It may be repeated, as ids and events tell what is there already.
func (e *example) add(ctx context.Context, events ...*annals.HistoryEvent) (int64, error) {
	response, err := e.history.AppendHistoryEvents(ctx, &annals.AppendHistoryEventsRequest{
		ExecutionArn: e.arn,
		Events:       events,
	})
	return response.GetLastEventId(), err
}

func (e *example) pageThrough(ctx context.Context, what string, reverse bool) error {
	request := &annals.GetExecutionHistoryRequest{
		ExecutionArn: e.arn,
		MaxResults:   2,
		ReverseOrder: reverse,
	}
	for {
		page, err := e.history.GetExecutionHistory(ctx, request)
		if err != nil {
			return err
		}
		for _, event := range page.Events {
			show(what, event)
		}
		if page.NextToken == "" {
			return nil
		}
		request.NextToken = page.NextToken
	}
}

// follow shows what is stored, then what is appended meanwhile, until the execution ends.
func (e *example) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := e.history.WatchExecutionHistory(ctx, &annals.WatchExecutionHistoryRequest{
		ExecutionArn: e.arn,
	})
	if err != nil {
		return err
	}
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, event := range response.Events {
			show("live", event)
			if event.Id == exited.Id {
				if _, err := e.add(ctx, succeeded); err != nil {
					return err
				}
			}
		}
	}
}

// errorInfo says why a call failed: the ErrorInfo in the google.rpc.Status in its trailer.
func errorInfo(err error) *errdetails.ErrorInfo {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}

func (e *example) handleErrors(ctx context.Context) error {
	_, err := e.add(ctx, entered("Other"))
	info := errorInfo(err)
	if info.GetReason() != "EVENT_CONFLICT" {
		return fmt.Errorf("no conflict: %w", err)
	}
	fmt.Printf("%s: go on from %s\n", info.Reason, info.Metadata["expected_event_id"])

	_, err = e.history.GetExecutionHistory(ctx, &annals.GetExecutionHistoryRequest{
		ExecutionArn: e.arn + "-other",
	})
	info = errorInfo(err)
	if info.GetReason() != "EXECUTION_DOES_NOT_EXIST" {
		return fmt.Errorf("found: %w", err)
	}
	fmt.Printf("%s: %s\n", info.Reason, info.Metadata["execution_arn"])
	return nil
}

func run(ctx context.Context, arn string) error {
	connection, err := connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	e := &example{annals.NewHistoryServiceClient(connection), arn}

	last, err := e.add(ctx, started, entered("Greet"), exited)
	if err != nil {
		return err
	}
	fmt.Println("appended:", last)
	if err := e.pageThrough(ctx, "forward", false); err != nil {
		return err
	}
	if err := e.pageThrough(ctx, "reverse", true); err != nil {
		return err
	}
	if err := e.follow(ctx); err != nil {
		return err
	}
	return e.handleErrors(ctx)
}

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
