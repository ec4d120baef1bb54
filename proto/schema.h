/*
 * What is known of events, as one table: protobuf-c's descriptors, AWS's names and AWS's model.
 *
 * Floor 1. Built once at start-up from the descriptors, event_types.def and event_members.def, and
 * read-only from then on: any thread may use it. A new event type is a change of the .proto and of
 * event_types.def, and of nothing else.
 */
#ifndef ANNALS_PROTO_SCHEMA_H_
#define ANNALS_PROTO_SCHEMA_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Shapes that a member of an event can have. Nothing is repeated but map entries. */
enum annals_kind {
  ANNALS_KIND_INT32,
  ANNALS_KIND_INT64,
  ANNALS_KIND_BOOL,
  ANNALS_KIND_EVENT_TYPE, /* HistoryEventType */
  ANNALS_KIND_STRING,
  ANNALS_KIND_MESSAGE,
  ANNALS_KIND_TIMESTAMP,  /* google.protobuf.Timestamp */
  ANNALS_KIND_STRING_MAP, /* map<string, string> */
};

struct annals_message;

/* One field of a message. */
struct annals_field {
  uint32_t number;
  enum annals_kind kind;
  const char *name;     /* snake_case, as in the .proto */
  char *json_name;      /* camelCase, as AWS has it */
  char *json_key;       /* `"camelCase":` */
  size_t json_key_size; /* without the NUL */
  size_t bytes_max;     /* longest value, of a map: names and values together; 0: no limit */
  bool always;          /* AWS JSON writes it also when zero or empty */
  bool data;            /* execution data */
  bool natural;         /* a number that is never negative */
  bool details;         /* a member of HistoryEvent's oneof */
  const struct annals_message *message; /* MESSAGE, TIMESTAMP and STRING_MAP (the entry) */
};

/* Numbers below this are all that events use. */
enum { ANNALS_SCHEMA_NUMBERS = 80, ANNALS_SCHEMA_FIELDS = 48 };

/* One message, its fields in the order of their numbers. */
struct annals_message {
  const char *name; /* without package */
  size_t field_count;
  struct annals_field fields[ANNALS_SCHEMA_FIELDS];
  uint8_t index[ANNALS_SCHEMA_NUMBERS]; /* number -> place in fields + 1, or 0 */
};

/* What an event makes of its execution. */
enum annals_status {
  ANNALS_STATUS_UNCHANGED = 0,
  ANNALS_STATUS_RUNNING,
  ANNALS_STATUS_SUCCEEDED,
  ANNALS_STATUS_FAILED,
  ANNALS_STATUS_TIMED_OUT,
  ANNALS_STATUS_ABORTED,
};

/* One event type. */
struct annals_event_type {
  int number;
  char *aws_name;       /* `PassStateEntered` */
  size_t aws_name_size; /* without the NUL */
  uint32_t details;     /* number of the oneof's member, 0: it has none */
  enum annals_status status;
};

struct annals_schema;

/* Builds the table. Asserts that descriptors and .def files agree. */
struct annals_schema *annals_schema_new(void);
void annals_schema_free(struct annals_schema *schema);

/* Gives HistoryEvent. */
const struct annals_message *annals_schema_event(const struct annals_schema *schema);

/* Finds an event type by its number; NULL when there is none (0 among them). */
const struct annals_event_type *annals_schema_type(const struct annals_schema *schema,
                                                   int64_t number);

/* Finds an event type by AWS's name; NULL when there is none. */
const struct annals_event_type *annals_schema_type_named(const struct annals_schema *schema,
                                                         const char *aws_name);

/* Finds a field by its number; NULL when there is none. */
static inline const struct annals_field *annals_message_field(const struct annals_message *message,
                                                              uint32_t number) {
  if (number >= ANNALS_SCHEMA_NUMBERS || message->index[number] == 0) {
    return NULL;
  }
  return &message->fields[message->index[number] - 1];
}

/* Finds a field by AWS's name; NULL when there is none. */
const struct annals_field *annals_message_field_named(const struct annals_message *message,
                                                      const char *json_name);

G_END_DECLS

#endif
