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
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"
)

const machine = "arn:aws:states:us-east-1:123456789012:execution:Machine:"

var (
	ctx               = context.Background()
	annals, reference *sfn.Client
)

func check(name string, err error) {
	if err != nil {
		fmt.Printf("not ok %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
	} else {
		fmt.Println("ok", name)
	}
}

// request asks for the history of an execution.
func request(name string) *sfn.GetExecutionHistoryInput {
	return &sfn.GetExecutionHistoryInput{ExecutionArn: aws.String(machine + name)}
}

func expectEvents(events []types.HistoryEvent, request *sfn.GetExecutionHistoryInput) error {
	wanted, err := reference.GetExecutionHistory(ctx, request)
	if err == nil && !reflect.DeepEqual(events, wanted.Events) {
		err = errors.New("other events than the reference has")
	}
	return err
}

func history(request *sfn.GetExecutionHistoryInput) error {
	found, err := annals.GetExecutionHistory(ctx, request)
	if err != nil {
		return err
	}
	kinds := map[types.HistoryEventType]bool{}
	for _, event := range found.Events {
		kinds[event.Type] = true
	}
	if len(kinds) != len(types.HistoryEventType("").Values()) {
		return fmt.Errorf("%d types", len(kinds))
	}
	return expectEvents(found.Events, request)
}

// pages reads through the paginator. A size of 0 leaves it to the service, and comes to 100.
func pages(size int, request *sfn.GetExecutionHistoryInput) error {
	paginator := sfn.NewGetExecutionHistoryPaginator(annals, request,
		func(o *sfn.GetExecutionHistoryPaginatorOptions) { o.Limit = int32(size) })
	if size == 0 {
		size = 100
	}
	var events []types.HistoryEvent
	for paginator.HasMorePages() {
		if len(events)%size != 0 {
			return fmt.Errorf("%d events in full pages", len(events))
		}
		page, err := paginator.NextPage(ctx)
		if err != nil {
			return err
		}
		if len(page.Events) > size {
			return fmt.Errorf("%d events in a page", len(page.Events))
		}
		events = append(events, page.Events...)
	}
	return expectEvents(events, request)
}

// fails expects an error of a type, with a code and a message.
func fails[T smithy.APIError](request *sfn.GetExecutionHistoryInput, code, message string) error {
	_, err := annals.GetExecutionHistory(ctx, request)
	var apiError T
	if !errors.As(err, &apiError) || apiError.ErrorCode() != code || apiError.ErrorMessage() != message {
		return fmt.Errorf("%T: %v", err, err)
	}
	return nil
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
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		panic(err)
	}
	annals = sfn.NewFromConfig(settings)
	reference = sfn.NewFromConfig(settings, func(o *sfn.Options) {
		o.BaseEndpoint = aws.String(os.Getenv("ANNALS_REFERENCE"))
	})

	check("history", history(request("all_types")))
	for _, size := range []int{1, 7, 1000} {
		reversed := request("all_types")
		reversed.ReverseOrder = true
		check(fmt.Sprint("forward_", size), pages(size, request("all_types")))
		check(fmt.Sprint("reverse_", size), pages(size, reversed))
	}
	check("thousand_events", pages(0, request("thousand_events")))
	bare := request("all_types")
	bare.IncludeExecutionData = aws.Bool(false)
	check("without_data", history(bare))

	check("execution_does_not_exist", fails[*types.ExecutionDoesNotExist](request("nobody"),
		"ExecutionDoesNotExist", "Execution Does Not Exist: '"+machine+"nobody'"))
	check("invalid_arn", fails[*types.InvalidArn](
		&sfn.GetExecutionHistoryInput{ExecutionArn: aws.String("hello")},
		"InvalidArn", "Invalid Arn: 'Invalid ARN prefix: hello'"))
	token := request("all_types")
	token.NextToken = aws.String("x")
	check("invalid_token", fails[*types.InvalidToken](token,
		"InvalidToken", "Invalid Token: 'Invalid token'"))
	many := request("all_types")
	many.MaxResults = 1001
	// Not one of the errors that the SDK knows of this operation.
	check("validation", fails[*smithy.GenericAPIError](many, "ValidationException",
		"1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: "+
			"Member must have value less than or equal to 1000"))
}
