/* What the tests of codecs share: bytes made by hand, and the pieces under test as C++ values. */
#ifndef ANNALS_TESTS_PROTO_CODEC_TEST_SUPPORT_H_
#define ANNALS_TESTS_PROTO_CODEC_TEST_SUPPORT_H_

#include <cstdint>
#include <string>
#include <utility>

extern "C" {
#include "proto/aws_json.h"
#include "proto/canonical.h"
#include "proto/execution_data.h"
#include "proto/wire.h"
}

namespace annals_test {

inline std::string Varint(uint64_t value) {
  uint8_t bytes[ANNALS_VARINT_BYTES_MAX];
  return std::string(reinterpret_cast<char *>(bytes), annals_wire_put_varint(bytes, value));
}

/* A field of type VARINT. */
inline std::string Int(uint32_t number, int64_t value) {
  return Varint(number << 3) + Varint(static_cast<uint64_t>(value));
}

/* A field of type BYTES: a string or a sub-message. */
inline std::string Bytes(uint32_t number, const std::string &value) {
  return Varint(number << 3 | 2) + Varint(value.size()) + value;
}

/* A C++ owner of the schema. */
class Schema {
 public:
  Schema() : schema_(annals_schema_new()) {
  }
  ~Schema() {
    annals_schema_free(schema_);
  }
  Schema(const Schema &) = delete;
  Schema &operator=(const Schema &) = delete;
  const annals_schema *get() const {
    return schema_;
  }

 private:
  annals_schema *schema_;
};

struct Canonical {
  bool ok;
  std::string bytes;
  annals_event_head head;
  annals_event_fault fault;
};

inline Canonical Canonicalize(const Schema &schema, const std::string &event,
                              size_t max = 8 << 20) {
  Canonical result = {};
  annals_buffer out;
  annals_buffer_init(&out, max);
  /* A copy of exactly the event's size, so that ASan sees a byte too far. */
  std::string copy(event);
  copy.shrink_to_fit();
  result.ok = annals_canonical_append(schema.get(), reinterpret_cast<const uint8_t *>(copy.data()),
                                      copy.size(), &out, &result.head, &result.fault);
  if (result.ok) {
    result.bytes.assign(reinterpret_cast<const char *>(out.data), out.len);
  }
  annals_buffer_clear(&out);
  return result;
}

/* JSON of an event in canonical form, or "damaged". */
inline std::string Json(const Schema &schema, const std::string &event, bool include_data = true) {
  annals_buffer out;
  annals_buffer_init(&out, 16 << 20);
  std::string text = "damaged";
  if (annals_aws_json_append_event(schema.get(), reinterpret_cast<const uint8_t *>(event.data()),
                                   event.size(), include_data, &out)) {
    text.assign(reinterpret_cast<const char *>(out.data), out.len);
  }
  annals_buffer_clear(&out);
  return text;
}

/* The event without its execution data, or "damaged". */
inline std::string Strip(const Schema &schema, const std::string &event) {
  annals_buffer out;
  annals_buffer_init(&out, 16 << 20);
  std::string bytes = "damaged";
  if (annals_execution_data_strip(schema.get(), reinterpret_cast<const uint8_t *>(event.data()),
                                  event.size(), &out)) {
    bytes.assign(reinterpret_cast<const char *>(out.data), out.len);
  }
  annals_buffer_clear(&out);
  return bytes;
}

/* Numbers of event types and fields that the tests use. */
enum {
  kChoiceStateExited = 8,
  kExecutionStarted = 11,
  kPassStateEntered = 38,
  kPassStateExited = 39,
  kTaskScheduled = 43,
  kEventTimestamp = 1,
  kEventType = 2,
  kEventId = 3,
  kEventPreviousId = 4,
  kStateEnteredDetails = 5,
  kStateExitedDetails = 6,
  kTaskScheduledDetails = 21,
};

inline std::string Timestamp(int64_t seconds, int32_t nanos) {
  return Bytes(kEventTimestamp,
               (seconds != 0 ? Int(1, seconds) : "") + (nanos != 0 ? Int(2, nanos) : ""));
}

}  // namespace annals_test

#endif
