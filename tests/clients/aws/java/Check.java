import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkField;
import software.amazon.awssdk.core.util.VersionInfo;
import software.amazon.awssdk.services.sfn.SfnClient;
import software.amazon.awssdk.services.sfn.model.ExecutionDoesNotExistException;
import software.amazon.awssdk.services.sfn.model.ExecutionListItem;
import software.amazon.awssdk.services.sfn.model.GetExecutionHistoryRequest;
import software.amazon.awssdk.services.sfn.model.HistoryEvent;
import software.amazon.awssdk.services.sfn.model.HistoryEventType;
import software.amazon.awssdk.services.sfn.model.InvalidArnException;
import software.amazon.awssdk.services.sfn.model.InvalidTokenException;
import software.amazon.awssdk.services.sfn.model.KmsAccessDeniedException;
import software.amazon.awssdk.services.sfn.model.KmsInvalidStateException;
import software.amazon.awssdk.services.sfn.model.KmsKeyState;
import software.amazon.awssdk.services.sfn.model.KmsThrottlingException;
import software.amazon.awssdk.services.sfn.model.ListExecutionsRequest;
import software.amazon.awssdk.services.sfn.model.SfnException;
import software.amazon.awssdk.services.sfn.model.ValidationException;

/** Checks Annals with the AWS SDK for Java. ../checks.txt says what. */
public class Check {
  static final String EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:";
  static final String MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:Machine";
  static final List<String> NAMES =
      List.of("all_types", "branches", "order_fulfilment", "redrive", "thousand_events");
  static final GetExecutionHistoryRequest ALL_TYPES = request(EXECUTION + "Machine:all_types");

  final SfnClient annals;
  final SfnClient reference;

  Check(String place, AwsCredentialsProvider credentials) {
    annals = connect(place, credentials);
    reference = connect("ANNALS_REFERENCE", credentials);
  }

  Check(AwsCredentials credentials) {
    this("AWS_ENDPOINT_URL", StaticCredentialsProvider.create(credentials));
  }

  static SfnClient connect(String place, AwsCredentialsProvider credentials) {
    return SfnClient.builder()
        .endpointOverride(URI.create(System.getenv(place)))
        .credentialsProvider(credentials)
        .build();
  }

  static GetExecutionHistoryRequest request(String executionArn) {
    return GetExecutionHistoryRequest.builder().executionArn(executionArn).build();
  }

  static void check(String name, Runnable run) {
    try {
      run.run();
      System.out.println("ok " + name);
    } catch (RuntimeException | AssertionError e) {
      System.out.println("not ok " + name + ": " + e.toString().replace("\n", " "));
    }
  }

  static void expect(Object found, Object wanted) {
    if (!wanted.equals(found)) {
      throw new AssertionError(found + " instead of " + wanted);
    }
  }

  void history(GetExecutionHistoryRequest request) {
    var events = annals.getExecutionHistory(request).events();
    expect(events, reference.getExecutionHistory(request).events());
    expect(
        events.stream().map(HistoryEvent::type).collect(Collectors.toSet()),
        HistoryEventType.knownValues());
  }

  /** Reads through the paginator. A size of 0 leaves it to the service, and comes to 100. */
  void pages(GetExecutionHistoryRequest request, int size) {
    var sizes = new ArrayList<Integer>();
    var events = new ArrayList<HistoryEvent>();
    var sized = size == 0 ? request : request.toBuilder().maxResults(size).build();
    for (var page : annals.getExecutionHistoryPaginator(sized)) {
      sizes.add(page.events().size());
      events.addAll(page.events());
    }
    sizes.remove(sizes.size() - 1);
    expect(sizes.stream().allMatch(s -> s == (size == 0 ? 100 : size)), true);
    expect(events, reference.getExecutionHistory(request).events());
  }

  void describe() {
    for (var name : NAMES) {
      expect(description(annals, name), description(reference, name));
    }
  }

  /** All that is described, without what belongs to the call. */
  static List<Object> description(SfnClient client, String name) {
    var response = client.describeExecution(r -> r.executionArn(EXECUTION + "Machine:" + name));
    return response.sdkFields().stream()
        .map(field -> ((SdkField<?>) field).getValueOrDefault(response))
        .collect(Collectors.toList());
  }

  void list(ListExecutionsRequest request) {
    var sizes = new ArrayList<Integer>();
    var executions = new ArrayList<ExecutionListItem>();
    for (var page : annals.listExecutionsPaginator(request.toBuilder().maxResults(2).build())) {
      sizes.add(page.executions().size());
      executions.addAll(page.executions());
    }
    sizes.remove(sizes.size() - 1);
    expect(sizes.stream().allMatch(s -> s == 2), true);
    expect(executions, reference.listExecutions(request).executions());
  }

  <T extends SfnException> T fails(
      GetExecutionHistoryRequest request, String code, Class<T> kind) {
    return fails(client -> client.getExecutionHistory(request), code, kind);
  }

  <T extends SfnException> T fails(Consumer<SfnClient> call, String code, Class<T> kind) {
    var found = refusal(annals, call);
    expect(found.getClass(), kind);
    expect(found.awsErrorDetails().errorCode(), code);
    expect(
        found.awsErrorDetails().errorMessage(),
        refusal(reference, call).awsErrorDetails().errorMessage());
    return kind.cast(found);
  }

  static SfnException refusal(SfnClient client, Consumer<SfnClient> call) {
    try {
      call.accept(client);
    } catch (SfnException e) {
      return e;
    }
    throw new AssertionError("no error");
  }

  static void checkErrors(Check usual) {
    var nobody = request(EXECUTION + "Machine:nobody");
    check(
        "execution_does_not_exist",
        () -> usual.fails(nobody, "ExecutionDoesNotExist", ExecutionDoesNotExistException.class));
    Consumer<SfnClient> describe =
        client -> client.describeExecution(r -> r.executionArn(nobody.executionArn()));
    check(
        "describe_nobody",
        () -> usual.fails(describe, "ExecutionDoesNotExist", ExecutionDoesNotExistException.class));
    var hello = request("hello");
    check("invalid_arn", () -> usual.fails(hello, "InvalidArn", InvalidArnException.class));
    var token = ALL_TYPES.toBuilder().nextToken("x").build();
    check("invalid_token", () -> usual.fails(token, "InvalidToken", InvalidTokenException.class));
    var many = ALL_TYPES.toBuilder().maxResults(1001).build();
    check(
        "validation", () -> usual.fails(many, "ValidationException", ValidationException.class));
  }

  static void checkKeys(Check usual) {
    var denied = request(EXECUTION + "Encrypted:denied");
    check(
        "kms_access_denied",
        () -> usual.fails(denied, "KmsAccessDeniedException", KmsAccessDeniedException.class));
    var disabled = request(EXECUTION + "Encrypted:disabled");
    check(
        "kms_invalid_state",
        () ->
            expect(
                usual
                    .fails(disabled, "KmsInvalidStateException", KmsInvalidStateException.class)
                    .kmsKeyState(),
                KmsKeyState.DISABLED));
    var throttled = request(EXECUTION + "Encrypted:throttled");
    check(
        "kms_throttling",
        () -> usual.fails(throttled, "KmsThrottlingException", KmsThrottlingException.class));
  }

  /** The errors belong to all of AWS's services, and have no classes in this one's client. */
  static void checkSignatures(Check usual, AwsCredentialsProvider credentials) {
    var temporary = new Check(AwsSessionCredentials.create("ASIACLIENTS", "temporary", "token"));
    check("session_token", () -> temporary.history(ALL_TYPES));
    var wrong = new Check(AwsBasicCredentials.create("AKIAWRONG", "wrong"));
    check(
        "wrong_secret",
        () -> wrong.fails(ALL_TYPES, "InvalidSignatureException", SfnException.class));
    var nobody = new Check(AwsBasicCredentials.create("AKIANOBODY", "secret"));
    check(
        "unknown_key",
        () -> nobody.fails(ALL_TYPES, "UnrecognizedClientException", SfnException.class));
    var other = request(EXECUTION + "Other:all_types");
    check("denied", () -> usual.fails(other, "AccessDeniedException", SfnException.class));
    check("clock", () -> new Check("ANNALS_AHEAD", credentials).history(ALL_TYPES));
    check("throttled", () -> new Check("ANNALS_BUSY", credentials).pages(ALL_TYPES, 20));
  }

  public static void main(String[] args) {
    System.out.printf(
        "version software.amazon.awssdk:sfn %s, Java %s%n",
        VersionInfo.SDK_VERSION, Runtime.version());
    var credentials = DefaultCredentialsProvider.create();
    var usual = new Check("AWS_ENDPOINT_URL", credentials);

    check("history", () -> usual.history(ALL_TYPES));
    var reversed = ALL_TYPES.toBuilder().reverseOrder(true).build();
    for (var size : List.of(1, 7, 1000)) {
      check("forward_" + size, () -> usual.pages(ALL_TYPES, size));
      check("reverse_" + size, () -> usual.pages(reversed, size));
    }
    var thousandEvents = request(EXECUTION + "Machine:thousand_events");
    check("thousand_events", () -> usual.pages(thousandEvents, 0));
    var bare = ALL_TYPES.toBuilder().includeExecutionData(false).build();
    check("without_data", () -> usual.history(bare));
    check("describe", usual::describe);
    var list = ListExecutionsRequest.builder().stateMachineArn(MACHINE).build();
    check("list", () -> usual.list(list));
    check("list_failed", () -> usual.list(list.toBuilder().statusFilter("FAILED").build()));
    checkErrors(usual);
    checkKeys(usual);
    checkSignatures(usual, credentials);
  }
}
