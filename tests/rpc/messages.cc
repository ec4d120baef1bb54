#include "tests/rpc/messages.h"

#include <gtest/gtest.h>

#include "proto/wire.h"

namespace annals_test {

std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) {
    bytes += static_cast<char>(value | 0x80);
  }
  return bytes + static_cast<char>(value);
}

std::string Tag(uint32_t number, uint32_t wire_type) {
  return Varint(uint64_t{number} << 3 | wire_type);
}

std::string IntField(uint32_t number, int64_t value) {
  return Tag(number, ANNALS_WIRE_VARINT) + Varint(static_cast<uint64_t>(value));
}

std::string BytesField(uint32_t number, const std::string &bytes) {
  return Tag(number, ANNALS_WIRE_BYTES) + Varint(bytes.size()) + bytes;
}

namespace {

std::string NonZero(uint32_t number, int64_t value) {
  return value != 0 ? IntField(number, value) : "";
}

std::string NonEmpty(uint32_t number, const std::string &text) {
  return text.empty() ? "" : BytesField(number, text);
}

}  // namespace

std::string Event::Bytes() const {
  std::string bytes;
  if (seconds.has_value()) {
    bytes += BytesField(1, NonZero(1, *seconds) + NonZero(2, nanos));
  }
  return bytes + NonZero(2, type) + NonZero(3, id) +
         NonZero(4, previous_id.value_or(id > INT64_MIN ? id - 1 : id)) + details;
}

Event PlainEvent(int64_t id, size_t input_size) {
  Event event;
  event.id = id;
  event.seconds = kStartSeconds + id - 1;
  if (id == 1) {
    event.type = EXECUTION_STARTED;
    event.details = BytesField(EXECUTION_STARTED_DETAILS, BytesField(3, "a role"));
  } else {
    event.details = BytesField(STATE_ENTERED_DETAILS,
                               BytesField(1, "A") + NonEmpty(2, std::string(input_size, 'x')));
  }
  return event;
}

std::vector<std::string> PlainEvents(int64_t first_id, int64_t last_id, size_t input_size) {
  std::vector<std::string> events;
  for (int64_t id = first_id; id <= last_id; id++) {
    events.push_back(PlainEvent(id, input_size).Bytes());
  }
  return events;
}

std::string FramesOf(const std::vector<std::string> &events) {
  std::string frames;
  for (const std::string &event : events) {
    frames += BytesField(1, event);
  }
  return frames;
}

std::string AppendRequest::Bytes() const {
  std::string bytes = NonEmpty(1, arn);
  for (const std::string &event : events) {
    bytes += BytesField(2, event);
  }
  return bytes + NonEmpty(3, state_machine_arn) + NonEmpty(4, map_run_arn) +
         NonZero(5, item_count) + NonEmpty(6, trace_header);
}

std::string PageRequest::Bytes() const {
  return NonEmpty(1, arn) + NonZero(2, max_results) + NonEmpty(3, next_token) +
         NonZero(4, reverse ? 1 : 0) + (with_data ? "" : BytesField(5, ""));
}

AppendResult ReadAppendResult(const std::string &bytes) {
  AppendResult result;
  auto *message = annals__v1__append_history_events_response__unpack(
      nullptr, bytes.size(), reinterpret_cast<const uint8_t *>(bytes.data()));
  if (message == nullptr) {
    ADD_FAILURE() << "not an AppendHistoryEventsResponse";
    return result;
  }
  result = {message->last_event_id, message->appended_count, message->already_stored_count,
            message->adjusted_timestamp_count};
  annals__v1__append_history_events_response__free_unpacked(message, nullptr);
  return result;
}

PageResult ReadPageResult(const std::string &bytes) {
  PageResult result;
  const auto *data = reinterpret_cast<const uint8_t *>(bytes.data());
  annals_wire_reader reader = {data, data + bytes.size()};
  annals_wire_field field;
  annals_wire_result next;
  while ((next = annals_wire_next(&reader, &field)) == ANNALS_WIRE_FIELD) {
    std::string value(reinterpret_cast<const char *>(field.bytes), field.size);
    if (field.number == 1) {
      EXPECT_EQ(result.next_token, "") << "an event stands behind the token";
      result.frames.assign(bytes, 0, static_cast<size_t>(reader.at - data));
      result.events.push_back(value);
    } else {
      EXPECT_EQ(field.number, 2u);
      result.next_token = value;
    }
  }
  EXPECT_EQ(next, ANNALS_WIRE_END);
  return result;
}

}  // namespace annals_test
