import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import software.amazon.awssdk.core.util.VersionInfo;
import software.amazon.awssdk.services.sfn.SfnClient;
import software.amazon.awssdk.services.sfn.model.ExecutionDoesNotExistException;
import software.amazon.awssdk.services.sfn.model.GetExecutionHistoryRequest;
import software.amazon.awssdk.services.sfn.model.HistoryEvent;
import software.amazon.awssdk.services.sfn.model.HistoryEventType;
import software.amazon.awssdk.services.sfn.model.InvalidArnException;
import software.amazon.awssdk.services.sfn.model.InvalidTokenException;
import software.amazon.awssdk.services.sfn.model.SfnException;
import software.amazon.awssdk.services.sfn.model.ValidationException;

/** Checks Annals with the AWS SDK for Java. ../checks.txt says what. */
public class Check {
  static final String MACHINE = "arn:aws:states:us-east-1:123456789012:execution:Machine:";
  static final GetExecutionHistoryRequest ALL_TYPES = request(MACHINE + "all_types");
  static final GetExecutionHistoryRequest THOUSAND_EVENTS = request(MACHINE + "thousand_events");
  static final GetExecutionHistoryRequest NOBODY = request(MACHINE + "nobody");

  static final SfnClient annals = SfnClient.create();
  static final SfnClient reference =
      SfnClient.builder().endpointOverride(URI.create(System.getenv("ANNALS_REFERENCE"))).build();

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
    if (!found.equals(wanted)) {
      throw new AssertionError(found + " instead of " + wanted);
    }
  }

  static void expectEvents(List<HistoryEvent> events, GetExecutionHistoryRequest request) {
    expect(events, reference.getExecutionHistory(request).events());
  }

  static void history(GetExecutionHistoryRequest request) {
    var events = annals.getExecutionHistory(request).events();
    expectEvents(events, request);
    expect(
        events.stream().map(HistoryEvent::type).collect(Collectors.toSet()),
        HistoryEventType.knownValues());
  }

  /** Reads through the paginator. A size of 0 leaves it to the service, and comes to 100. */
  static void pages(int size, GetExecutionHistoryRequest request) {
    var sizes = new ArrayList<Integer>();
    var events = new ArrayList<HistoryEvent>();
    var sized = size == 0 ? request : request.toBuilder().maxResults(size).build();
    for (var page : annals.getExecutionHistoryPaginator(sized)) {
      sizes.add(page.events().size());
      events.addAll(page.events());
    }
    sizes.remove(sizes.size() - 1);
    expect(sizes.stream().allMatch(s -> s == (size == 0 ? 100 : size)), true);
    expectEvents(events, request);
  }

  static void fails(
      GetExecutionHistoryRequest request, Class<? extends SfnException> kind, String message) {
    try {
      annals.getExecutionHistory(request);
    } catch (SfnException e) {
      expect(e.getClass(), kind);
      expect(e.awsErrorDetails().errorMessage(), message);
      return;
    }
    throw new AssertionError("no error");
  }

  public static void main(String[] args) {
    System.out.printf(
        "version software.amazon.awssdk:sfn %s, Java %s%n",
        VersionInfo.SDK_VERSION, Runtime.version());

    check("history", () -> history(ALL_TYPES));
    var reversed = ALL_TYPES.toBuilder().reverseOrder(true).build();
    for (var size : List.of(1, 7, 1000)) {
      check("forward_" + size, () -> pages(size, ALL_TYPES));
      check("reverse_" + size, () -> pages(size, reversed));
    }
    check("thousand_events", () -> pages(0, THOUSAND_EVENTS));
    var bare = ALL_TYPES.toBuilder().includeExecutionData(false).build();
    check("without_data", () -> history(bare));

    check(
        "execution_does_not_exist",
        () ->
            fails(
                NOBODY,
                ExecutionDoesNotExistException.class,
                "Execution Does Not Exist: '" + NOBODY.executionArn() + "'"));
    check(
        "invalid_arn",
        () ->
            fails(
                request("hello"),
                InvalidArnException.class,
                "Invalid Arn: 'Invalid ARN prefix: hello'"));
    check(
        "invalid_token",
        () ->
            fails(
                ALL_TYPES.toBuilder().nextToken("x").build(),
                InvalidTokenException.class,
                "Invalid Token: 'Invalid token'"));
    check(
        "validation",
        () ->
            fails(
                ALL_TYPES.toBuilder().maxResults(1001).build(),
                ValidationException.class,
                "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy"
                    + " constraint: Member must have value less than or equal to 1000"));
  }
}
