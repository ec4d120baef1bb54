/*
 * Messages of annals.v1 as bytes, put together by hand: tests choose every byte that is sent.
 */
#ifndef ANNALS_TESTS_RPC_MESSAGES_H_
#define ANNALS_TESTS_RPC_MESSAGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "annals/v1/history_service.pb-c.h"

namespace annals_test {

// Pieces of protobuf's wire format.
std::string Varint(uint64_t value);
std::string Tag(uint32_t number, uint32_t wire_type);
std::string IntField(uint32_t number, int64_t value);
std::string BytesField(uint32_t number, const std::string &bytes);

// Event types used here, and the fields of HistoryEvent that hold their details.
enum {
  EXECUTION_STARTED = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_EXECUTION_STARTED,
  EXECUTION_SUCCEEDED = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_EXECUTION_SUCCEEDED,
  EXECUTION_REDRIVEN = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_EXECUTION_REDRIVEN,
  PASS_ENTERED = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_PASS_STATE_ENTERED,
  PASS_EXITED = ANNALS__V1__HISTORY_EVENT_TYPE__HISTORY_EVENT_TYPE_PASS_STATE_EXITED,

  STATE_ENTERED_DETAILS = 5,
  STATE_EXITED_DETAILS = 6,
  EXECUTION_STARTED_DETAILS = 31,
};

// An event; Bytes() is its canonical form.
struct Event {
  int64_t id = 0;
  int64_t type = PASS_ENTERED;
  std::optional<int64_t> seconds;
  int32_t nanos = 0;
  std::optional<int64_t> previous_id;  // id - 1
  std::string details;                 // the whole field, tag first
  std::string Bytes() const;
};

// The seconds of event 1; each event is a second later.
constexpr int64_t kStartSeconds = 1700000000;

// ExecutionStarted under id 1, else PassStateEntered with an input of that size.
Event PlainEvent(int64_t id, size_t input_size = 0);

// The canonical events first_id to last_id, of PlainEvent.
std::vector<std::string> PlainEvents(int64_t first_id, int64_t last_id, size_t input_size = 0);

// Events as they are framed in a store and an answer.
std::string FramesOf(const std::vector<std::string> &events);

struct AppendRequest {
  std::string arn;
  std::vector<std::string> events;
  std::string state_machine_arn;
  std::string map_run_arn;
  int32_t item_count = 0;
  std::string trace_header;
  std::string Bytes() const;
};

struct PageRequest {
  std::string arn;
  int32_t max_results = 0;
  std::string next_token;
  bool reverse = false;
  bool with_data = true;
  std::string Bytes() const;
};

// AppendHistoryEventsResponse.
struct AppendResult {
  int64_t last_event_id = 0;
  int32_t appended = 0;
  int32_t already_stored = 0;
  int32_t adjusted = 0;
};
AppendResult ReadAppendResult(const std::string &bytes);

// GetExecutionHistoryResponse: the bytes of its events, frames and all, and the token.
struct PageResult {
  std::string frames;
  std::vector<std::string> events;
  std::string next_token;
};
PageResult ReadPageResult(const std::string &bytes);

}  // namespace annals_test

#endif
