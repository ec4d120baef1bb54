// Checks Annals with the AWS SDK for Go. ../checks.txt says what.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

const (
	machine   = "arn:aws:states:us-east-1:123456789012:stateMachine:Machine"
	execution = "arn:aws:states:us-east-1:123456789012:execution:"
)

var (
	ctx   = context.Background()
	names = []string{"all_types", "branches", "order_fulfilment", "redrive", "thousand_events"}
)

// request asks for the history of an execution.
type request = sfn.GetExecutionHistoryInput

// clients are one of Annals and one of the reference.
type clients struct{ annals, reference *sfn.Client }

func connect(place string, options ...func(*config.LoadOptions) error) clients {
	settings, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		panic(err)
	}
	at := func(place string) *sfn.Client {
		return sfn.NewFromConfig(settings, func(o *sfn.Options) {
			o.BaseEndpoint = aws.String(os.Getenv(place))
		})
	}
	return clients{at(place), at("ANNALS_REFERENCE")}
}

func key(name, secret, token string) clients {
	return connect("AWS_ENDPOINT_URL", config.WithCredentialsProvider(
		credentials.NewStaticCredentialsProvider(name, secret, token)))
}

func check(name string, err error) {
	if err != nil {
		fmt.Printf("not ok %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
	} else {
		fmt.Println("ok", name)
	}
}

func (c clients) expect(events []types.HistoryEvent, request *request) error {
	wanted, err := c.reference.GetExecutionHistory(ctx, request)
	if err == nil && !reflect.DeepEqual(events, wanted.Events) {
		err = errors.New("other events than the reference has")
	}
	return err
}

func (c clients) history(request *request) error {
	found, err := c.annals.GetExecutionHistory(ctx, request)
	if err != nil {
		return err
	}
	kinds := map[types.HistoryEventType]bool{}
	for _, event := range found.Events {
		kinds[event.Type] = true
	}
	if len(kinds) != 62 {
		return fmt.Errorf("%d types", len(kinds))
	}
	return c.expect(found.Events, request)
}

// pages reads through the paginator. A size of 0 leaves it to the service, and comes to 100.
func (c clients) pages(request *request, size int) error {
	paginator := sfn.NewGetExecutionHistoryPaginator(c.annals, request,
		func(o *sfn.GetExecutionHistoryPaginatorOptions) { o.Limit = int32(size) })
	if size == 0 {
		size = 100
	}
	var events []types.HistoryEvent
	for paginator.HasMorePages() {
		page, err := paginator.NextPage(ctx)
		if err != nil {
			return err
		}
		if len(events)%size != 0 || len(page.Events) > size {
			return fmt.Errorf("a page of %d after %d events", len(page.Events), len(events))
		}
		events = append(events, page.Events...)
	}
	return c.expect(events, request)
}

func (c clients) describe() error {
	for _, name := range names {
		request := &sfn.DescribeExecutionInput{ExecutionArn: aws.String(execution + "Machine:" + name)}
		found, err := c.annals.DescribeExecution(ctx, request)
		if err != nil {
			return err
		}
		wanted, err := c.reference.DescribeExecution(ctx, request)
		if err != nil {
			return err
		}
		found.ResultMetadata = middleware.Metadata{}
		wanted.ResultMetadata = middleware.Metadata{}
		if !reflect.DeepEqual(found, wanted) {
			return fmt.Errorf("another description of %s than the reference has", name)
		}
	}
	return nil
}

func (c clients) list(status types.ExecutionStatus) error {
	request := &sfn.ListExecutionsInput{StateMachineArn: aws.String(machine), StatusFilter: status}
	wanted, err := c.reference.ListExecutions(ctx, request)
	if err != nil {
		return err
	}
	paginator := sfn.NewListExecutionsPaginator(c.annals, request,
		func(o *sfn.ListExecutionsPaginatorOptions) { o.Limit = 2 })
	var executions []types.ExecutionListItem
	for paginator.HasMorePages() {
		page, err := paginator.NextPage(ctx)
		if err != nil {
			return err
		}
		if len(executions)%2 != 0 || len(page.Executions) > 2 {
			return fmt.Errorf("a page of %d after %d", len(page.Executions), len(executions))
		}
		executions = append(executions, page.Executions...)
	}
	if !reflect.DeepEqual(executions, wanted.Executions) {
		return errors.New("other executions than the reference has")
	}
	return nil
}

// fails expects an error of a type, with a code, and the reference's message.
func fails[T smithy.APIError](c clients, request *request, code string) error {
	_, found := c.annals.GetExecutionHistory(ctx, request)
	_, wanted := c.reference.GetExecutionHistory(ctx, request)
	return same[T](found, wanted, code)
}

func same[T smithy.APIError](found, wanted error, code string) error {
	var a, b T
	if !errors.As(found, &a) || !errors.As(wanted, &b) || a.ErrorCode() != code ||
		a.ErrorMessage() != b.ErrorMessage() {
		return fmt.Errorf("%v instead of %v", found, wanted)
	}
	return nil
}

func checkKeys(usual clients) {
	of := func(name string) *request {
		return &request{ExecutionArn: aws.String(execution + "Encrypted:" + name)}
	}
	check("kms_access_denied",
		fails[*kmsAccessDenied](usual, of("denied"), "KmsAccessDeniedException"))
	err := fails[*kmsInvalidState](usual, of("disabled"), "KmsInvalidStateException")
	if err == nil {
		_, found := usual.annals.GetExecutionHistory(ctx, of("disabled"))
		err = disabled(found)
	}
	check("kms_invalid_state", err)
	check("kms_throttling",
		fails[*kmsThrottling](usual, of("throttled"), "KmsThrottlingException"))
}

func version() string {
	build, _ := debug.ReadBuildInfo()
	for _, module := range build.Deps {
		if strings.HasSuffix(module.Path, "/service/sfn") {
			return module.Version
		}
	}
	return "?"
}

func main() {
	fmt.Printf("version aws-sdk-go-v2/service/sfn %s, %s\n", version(), runtime.Version())
	usual := connect("AWS_ENDPOINT_URL")
	allTypes := aws.String(execution + "Machine:all_types")

	check("history", usual.history(&request{ExecutionArn: allTypes}))
	for _, size := range []int{1, 7, 1000} {
		check(fmt.Sprint("forward_", size), usual.pages(&request{ExecutionArn: allTypes}, size))
		reversed := &request{ExecutionArn: allTypes, ReverseOrder: true}
		check(fmt.Sprint("reverse_", size), usual.pages(reversed, size))
	}
	thousandEvents := aws.String(execution + "Machine:thousand_events")
	check("thousand_events", usual.pages(&request{ExecutionArn: thousandEvents}, 0))
	bare := &request{ExecutionArn: allTypes, IncludeExecutionData: aws.Bool(false)}
	check("without_data", usual.history(bare))
	check("describe", usual.describe())
	check("list", usual.list(""))
	check("list_failed", usual.list(types.ExecutionStatusFailed))

	nobody := &request{ExecutionArn: aws.String(execution + "Machine:nobody")}
	check("execution_does_not_exist",
		fails[*types.ExecutionDoesNotExist](usual, nobody, "ExecutionDoesNotExist"))
	description := &sfn.DescribeExecutionInput{ExecutionArn: nobody.ExecutionArn}
	_, found := usual.annals.DescribeExecution(ctx, description)
	_, wanted := usual.reference.DescribeExecution(ctx, description)
	check("describe_nobody", same[*types.ExecutionDoesNotExist](found, wanted, "ExecutionDoesNotExist"))
	hello := &request{ExecutionArn: aws.String("hello")}
	check("invalid_arn", fails[*types.InvalidArn](usual, hello, "InvalidArn"))
	token := &request{ExecutionArn: allTypes, NextToken: aws.String("x")}
	check("invalid_token", fails[*types.InvalidToken](usual, token, "InvalidToken"))

	checkKeys(usual)

	// None of these is a type that the SDK has for this operation.
	many := &request{ExecutionArn: allTypes, MaxResults: 1001}
	check("validation", fails[*smithy.GenericAPIError](usual, many, "ValidationException"))
	temporary := key("ASIACLIENTS", "temporary", "token")
	check("session_token", temporary.history(&request{ExecutionArn: allTypes}))
	check("wrong_secret", fails[*smithy.GenericAPIError](key("AKIAWRONG", "wrong", ""),
		&request{ExecutionArn: allTypes}, "InvalidSignatureException"))
	check("unknown_key", fails[*smithy.GenericAPIError](key("AKIANOBODY", "secret", ""),
		&request{ExecutionArn: allTypes}, "UnrecognizedClientException"))
	other := &request{ExecutionArn: aws.String(execution + "Other:all_types")}
	check("denied", fails[*smithy.GenericAPIError](usual, other, "AccessDeniedException"))
	err := connect("ANNALS_AHEAD").history(&request{ExecutionArn: allTypes})
	if strings.HasPrefix(version(), "v1.24.") && strings.Contains(fmt.Sprint(err), "Signature expired") {
		fmt.Println("skip clock: the SDK for Go 1.19 never corrects its clock; newer ones do")
	} else {
		check("clock", err)
	}
	check("throttled", connect("ANNALS_BUSY").pages(&request{ExecutionArn: allTypes}, 20))
}
