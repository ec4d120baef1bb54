/*
 * Measures how fast events become JSON: the gateway's pass over their wire bytes against
 * libprotobuf's MessageToJsonString on the same messages, which are parsed already.
 *
 * Usage: json_transcode annals|libprotobuf SECONDS
 * Prints `bytes_per_second=N`: wire bytes in a second of the processor's time.
 */
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "annals/v1/history_event.pb.h"
#include "proto/aws_json.h"

namespace {

using annals::v1::HistoryEvent;

constexpr int kEvents = 100;

/* What a workflow's states hand on: JSON, of whose bytes one in seven has to be escaped. */
std::string Document(int i) {
  std::string order = std::to_string(4711 + i);
  return "{\"orderId\":\"" + order +
         "\",\"customer\":{\"name\":\"Zo\xc3\xab\",\"tier\":\"gold\"},"
         "\"lines\":[{\"sku\":\"A-" +
         order +
         "\",\"count\":3,\"price\":12.5}],"
         "\"note\":\"leave it with the neighbours if nobody opens the door\",\"paid\":true}";
}

HistoryEvent Event(int i) {
  HistoryEvent event;
  event.mutable_timestamp()->set_seconds(1700000000 + i);
  event.mutable_timestamp()->set_nanos(i * 1000000);
  event.set_id(i + 1);
  event.set_previous_event_id(i);
  switch (i % 4) {
    case 0:
      event.set_type(annals::v1::HISTORY_EVENT_TYPE_TASK_STATE_ENTERED);
      event.mutable_state_entered_event_details()->set_name("Charge the card");
      event.mutable_state_entered_event_details()->set_input(Document(i));
      break;
    case 1:
      event.set_type(annals::v1::HISTORY_EVENT_TYPE_TASK_SCHEDULED);
      event.mutable_task_scheduled_event_details()->set_resource_type("lambda");
      event.mutable_task_scheduled_event_details()->set_resource("invoke");
      event.mutable_task_scheduled_event_details()->set_region("us-east-1");
      event.mutable_task_scheduled_event_details()->set_parameters(Document(i));
      event.mutable_task_scheduled_event_details()->set_timeout_in_seconds(300);
      break;
    case 2:
      event.set_type(annals::v1::HISTORY_EVENT_TYPE_TASK_SUCCEEDED);
      event.mutable_task_succeeded_event_details()->set_resource_type("lambda");
      event.mutable_task_succeeded_event_details()->set_resource("invoke");
      event.mutable_task_succeeded_event_details()->set_output(Document(i));
      break;
    default:
      event.set_type(annals::v1::HISTORY_EVENT_TYPE_TASK_STATE_EXITED);
      event.mutable_state_exited_event_details()->set_name("Charge the card");
      event.mutable_state_exited_event_details()->set_output(Document(i));
      break;
  }
  return event;
}

struct Page {
  std::vector<HistoryEvent> messages;
  std::vector<std::string> wire; /* fields in the order of their numbers: canonical */
  size_t bytes = 0;
};

Page MakePage() {
  Page page;
  for (int i = 0; i < kEvents; i++) {
    page.messages.push_back(Event(i));
    page.wire.push_back(page.messages.back().SerializeAsString());
    page.bytes += page.wire.back().size();
  }
  return page;
}

[[noreturn]] void Die(const char *what) {
  fprintf(stderr, "json_transcode: %s\n", what);
  exit(EXIT_FAILURE);
}

void TranscodeByLibprotobuf(const Page &page) {
  std::string json;
  for (const HistoryEvent &message : page.messages) {
    json.clear();
    if (!google::protobuf::util::MessageToJsonString(message, &json).ok()) {
      Die("libprotobuf does not take an event");
    }
  }
}

void Transcode(const annals_schema *schema, const Page &page, annals_buffer *json) {
  for (const std::string &event : page.wire) {
    annals_buffer_reset(json);
    if (!annals_aws_json_append_event(schema, reinterpret_cast<const uint8_t *>(event.data()),
                                      event.size(), true, json)) {
      Die("an event is not canonical");
    }
  }
}

/* Bytes in a second of the processor's time, whatever else it is busy with. */
double Measure(const Page &page, double seconds, const std::function<void()> &pass) {
  const double span = seconds * CLOCKS_PER_SEC;
  const clock_t start = clock();
  double passes = 0;
  clock_t now;
  do {
    pass();
    passes++;
    now = clock();
  } while (static_cast<double>(now - start) < span);
  const double bytes = passes * static_cast<double>(page.bytes);
  return bytes * CLOCKS_PER_SEC / static_cast<double>(std::max<clock_t>(now - start, 1));
}

double MeasureAnnals(const Page &page, double seconds) {
  annals_schema *schema = annals_schema_new();
  annals_buffer json;
  annals_buffer_init(&json, 1 << 20);
  double rate = Measure(page, seconds, [&] { Transcode(schema, page, &json); });
  annals_buffer_clear(&json);
  annals_schema_free(schema);
  return rate;
}

}  // namespace

int main(int argc, char **argv) {
  const std::string who = argc == 3 ? argv[1] : "";
  const Page page = MakePage();
  if (who == "annals") {
    printf("bytes_per_second=%.0f\n", MeasureAnnals(page, atof(argv[2])));
  } else if (who == "libprotobuf") {
    printf("bytes_per_second=%.0f\n",
           Measure(page, atof(argv[2]), [&] { TranscodeByLibprotobuf(page); }));
  } else {
    fprintf(stderr, "usage: json_transcode annals|libprotobuf SECONDS\n");
    return 2;
  }
}
