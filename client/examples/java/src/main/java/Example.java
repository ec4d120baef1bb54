import annals.v1.AppendHistoryEventsRequest;
import annals.v1.ExecutionStartedEventDetails;
import annals.v1.ExecutionSucceededEventDetails;
import annals.v1.GetExecutionHistoryRequest;
import annals.v1.GetExecutionHistoryResponse;
import annals.v1.HistoryEvent;
import annals.v1.HistoryEventType;
import annals.v1.HistoryServiceGrpc;
import annals.v1.HistoryServiceGrpc.HistoryServiceBlockingStub;
import annals.v1.StateEnteredEventDetails;
import annals.v1.StateExitedEventDetails;
import annals.v1.WatchExecutionHistoryRequest;
import annals.v1.WatchExecutionHistoryResponse;
import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Appends a history, reads it in both directions, follows it, and handles errors.
 *
 * <p>Usage: Example EXECUTION_ARN. How to build and run it: ../README.md
 */
public final class Example {
  private static final Path SERVICE_CONFIG =
      Path.of("../../../proto/annals/v1/history_service_config.json");
  private static final HistoryEvent STARTED =
      HistoryEvent.newBuilder()
          .setId(1)
          .setType(HistoryEventType.HISTORY_EVENT_TYPE_EXECUTION_STARTED)
          .setExecutionStartedEventDetails(ExecutionStartedEventDetails.newBuilder().setInput("{}"))
          .build();
  private static final HistoryEvent EXITED =
      HistoryEvent.newBuilder()
          .setId(3)
          .setType(HistoryEventType.HISTORY_EVENT_TYPE_PASS_STATE_EXITED)
          .setPreviousEventId(2)
          .setStateExitedEventDetails(
              StateExitedEventDetails.newBuilder().setName("Greet").setOutput("\"hello\""))
          .build();
  private static final HistoryEvent SUCCEEDED =
      HistoryEvent.newBuilder()
          .setId(4)
          .setType(HistoryEventType.HISTORY_EVENT_TYPE_EXECUTION_SUCCEEDED)
          .setPreviousEventId(3)
          .setExecutionSucceededEventDetails(
              ExecutionSucceededEventDetails.newBuilder().setOutput("\"hello\""))
          .build();

  private final HistoryServiceBlockingStub history;
  private final String arn;

  private Example(HistoryServiceBlockingStub history, String arn) {
    this.history = history;
    this.arn = arn;
  }

  private static HistoryEvent entered(String state) {
    return HistoryEvent.newBuilder()
        .setId(2)
        .setType(HistoryEventType.HISTORY_EVENT_TYPE_PASS_STATE_ENTERED)
        .setPreviousEventId(1)
        .setStateEnteredEventDetails(
            StateEnteredEventDetails.newBuilder().setName(state).setInput("{}"))
        .build();
  }

  private static ChannelCredentials credentials() throws IOException {
    String ca = System.getenv("ANNALS_CA_FILE");
    if (ca == null) {
      return InsecureChannelCredentials.create();
    }
    TlsChannelCredentials.Builder tls =
        TlsChannelCredentials.newBuilder().trustManager(new File(ca));
    String certificate = System.getenv("ANNALS_CERT_FILE");
    if (certificate != null) {
      tls.keyManager(new File(certificate), new File(System.getenv("ANNALS_KEY_FILE")));
    }
    return tls.build();
  }

  private static ManagedChannel connect() throws IOException {
    String endpoint = System.getenv().getOrDefault("ANNALS_ENDPOINT", "127.0.0.1:50051");
    Map<String, ?> config =
        new Gson().fromJson(Files.readString(SERVICE_CONFIG), new TypeToken<>() {});
    return Grpc.newChannelBuilder(endpoint, credentials())
        .defaultServiceConfig(config)
        .keepAliveTime(30, TimeUnit.SECONDS)
        .keepAliveTimeout(10, TimeUnit.SECONDS)
        .build();
  }

  private static HistoryServiceBlockingStub stub(ManagedChannel channel) {
    HistoryServiceBlockingStub stub = HistoryServiceGrpc.newBlockingStub(channel);
    String token = System.getenv("ANNALS_TOKEN");
    if (token == null) {
      return stub;
    }
    Metadata bearer = new Metadata();
    bearer.put(
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    return stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(bearer));
  }

  /** Why a call failed: the ErrorInfo in the google.rpc.Status in its trailer. */
  private static ErrorInfo errorInfo(StatusRuntimeException error)
      throws InvalidProtocolBufferException {
    for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        return detail.unpack(ErrorInfo.class);
      }
    }
    throw error;
  }

  private static void show(String what, HistoryEvent event) {
    System.out.println(what + ": " + event.getId() + " " + event.getType());
  }

  /** Appends events. May be repeated, as ids and events tell what is there already. */
  private long append(HistoryEvent... events) {
    return history
        .appendHistoryEvents(
            AppendHistoryEventsRequest.newBuilder()
                .setExecutionArn(arn)
                .addAllEvents(List.of(events))
                .build())
        .getLastEventId();
  }

  private void pageThrough(String what, boolean reverse) {
    GetExecutionHistoryRequest.Builder request =
        GetExecutionHistoryRequest.newBuilder()
            .setExecutionArn(arn)
            .setMaxResults(2)
            .setReverseOrder(reverse);
    do {
      GetExecutionHistoryResponse page = history.getExecutionHistory(request.build());
      page.getEventsList().forEach(event -> show(what, event));
      request.setNextToken(page.getNextToken());
    } while (!request.getNextToken().isEmpty());
  }

  /** Shows what is stored, then what is appended meanwhile, until the execution ends. */
  private void follow() {
    Iterator<WatchExecutionHistoryResponse> responses =
        history.watchExecutionHistory(
            WatchExecutionHistoryRequest.newBuilder().setExecutionArn(arn).build());
    while (responses.hasNext()) {
      for (HistoryEvent event : responses.next().getEventsList()) {
        show("live", event);
        if (event.getId() == EXITED.getId()) {
          append(SUCCEEDED);
        }
      }
    }
  }

  private void conflict() throws InvalidProtocolBufferException {
    try {
      append(entered("Other"));
    } catch (StatusRuntimeException error) {
      ErrorInfo info = errorInfo(error);
      if (!info.getReason().equals("EVENT_CONFLICT")) {
        throw error;
      }
      System.out.println(
          info.getReason() + ": go on from " + info.getMetadataOrThrow("expected_event_id"));
    }
  }

  private void notFound() throws InvalidProtocolBufferException {
    try {
      history.getExecutionHistory(
          GetExecutionHistoryRequest.newBuilder().setExecutionArn(arn + "-other").build());
    } catch (StatusRuntimeException error) {
      ErrorInfo info = errorInfo(error);
      if (!info.getReason().equals("EXECUTION_DOES_NOT_EXIST")) {
        throw error;
      }
      System.out.println(info.getReason() + ": " + info.getMetadataOrThrow("execution_arn"));
    }
  }

  public static void main(String[] args) throws IOException {
    ManagedChannel channel = connect();
    try {
      Example example = new Example(stub(channel), args[0]);
      System.out.println("appended: " + example.append(STARTED, entered("Greet"), EXITED));
      example.pageThrough("forward", false);
      example.pageThrough("reverse", true);
      example.follow();
      example.conflict();
      example.notFound();
    } finally {
      channel.shutdownNow();
    }
  }
}
