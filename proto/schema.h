/*
 * What is known of events, and of executions as they are described and listed, as one table:
 * protobuf-c's descriptors, AWS's names and AWS's model.
 *
 * Floor 1. Built once at start-up from the descriptors, event_types.def, event_members.def and
 * execution_members.def, and read-only from then on: any thread may use it. A new event type is a
 * change of the .proto and of event_types.def, and of nothing else.
 */
#ifndef ANNALS_PROTO_SCHEMA_H_
#define ANNALS_PROTO_SCHEMA_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Shapes that a member can have. Nothing is repeated but map entries. */
enum annals_kind {
  ANNALS_KIND_INT32,
  ANNALS_KIND_INT64,
  ANNALS_KIND_BOOL,
  ANNALS_KIND_ENUM,
  ANNALS_KIND_STRING,
  ANNALS_KIND_MESSAGE,
  ANNALS_KIND_TIMESTAMP,  /* google.protobuf.Timestamp */
  ANNALS_KIND_STRING_MAP, /* map<string, string> */
};

/* What AWS's names fit in: those of values, and those of members as keys of JSON. Blocks, so that
 * they can be copied without looking at their sizes. */
enum { ANNALS_NAME_BLOCK_BYTES = 48 };

/* AWS's name of an enumeration's value: `PassStateEntered`, `TIMED_OUT`. */
struct annals_name {
  char text[ANNALS_NAME_BLOCK_BYTES];
  size_t size; /* without the NUL */
};

/* Those of an enumeration, whose numbers run from 1 to count - 1; 0 stands for none. */
struct annals_names {
  size_t count;
  struct annals_name *names; /* by number */
};

struct annals_message;

/* One field of a message. */
struct annals_field {
  uint32_t number;
  enum annals_kind kind;
  uint8_t wire_type;                      /* enum annals_wire_type */
  const char *name;                       /* snake_case, as in the .proto */
  char *json_name;                        /* camelCase, as AWS has it */
  size_t json_key_size;                   /* without the NUL */
  char json_key[ANNALS_NAME_BLOCK_BYTES]; /* `,"camelCase":`, and a quote where it is a text */
  size_t bytes_max; /* longest value, of a map: names and values together; 0: no limit */
  bool always;      /* AWS JSON writes it also when zero or empty */
  bool data;        /* execution data */
  bool secret;      /* AWS's model calls it sensitive */
  bool natural;     /* a number that is never negative */
  bool details;     /* a member of HistoryEvent's oneof */
  const struct annals_names *names;     /* ENUM */
  const struct annals_message *message; /* MESSAGE, TIMESTAMP and STRING_MAP (the entry) */
};

/* Numbers below this are all that messages use. */
enum { ANNALS_SCHEMA_NUMBERS = 80, ANNALS_SCHEMA_FIELDS = 48 };

/* One message, its fields in the order of their numbers. */
struct annals_message {
  const char *name; /* without package */
  size_t field_count;
  struct annals_field fields[ANNALS_SCHEMA_FIELDS];
  uint8_t index[ANNALS_SCHEMA_NUMBERS]; /* number -> place in fields + 1, or 0 */
  /* place -> that of the next field that is always written, itself included, or field_count */
  uint8_t next_always[ANNALS_SCHEMA_FIELDS + 1];
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
  const char *aws_name; /* `PassStateEntered` */
  uint32_t details;     /* number of the oneof's member, 0: it has none */
  enum annals_status status;
};

struct annals_schema;

/* Builds the table. Asserts that descriptors and .def files agree. */
struct annals_schema *annals_schema_new(void);
void annals_schema_free(struct annals_schema *schema);

/* Gives HistoryEvent. */
const struct annals_message *annals_schema_event(const struct annals_schema *schema);

/*
 * Gives a message by its name without package: DescribeExecutionResponse, ExecutionListItem, and
 * those of which events are made. It must be known.
 */
const struct annals_message *annals_schema_message(const struct annals_schema *schema,
                                                   const char *name);

/* Finds an event type by its number; NULL when there is none (0 among them). */
const struct annals_event_type *annals_schema_type(const struct annals_schema *schema,
                                                   int64_t number);

/* Finds an event type by AWS's name; NULL when there is none. */
const struct annals_event_type *annals_schema_type_named(const struct annals_schema *schema,
                                                         const char *aws_name);

/* Finds a field's place in fields by its number; SIZE_MAX when there is none. */
static inline size_t annals_message_place(const struct annals_message *message, uint32_t number) {
  return number < ANNALS_SCHEMA_NUMBERS ? (size_t)message->index[number] - 1 : SIZE_MAX;
}

/* Finds a field by its number; NULL when there is none. */
static inline const struct annals_field *annals_message_field(const struct annals_message *message,
                                                              uint32_t number) {
  const size_t place = annals_message_place(message, number);
  return place == SIZE_MAX ? NULL : &message->fields[place];
}

/* Finds the name of a value by its number; NULL when there is none (0 among them). */
static inline const struct annals_name *annals_names_get(const struct annals_names *names,
                                                         int64_t number) {
  return number > 0 && (uint64_t)number < names->count ? &names->names[number] : NULL;
}

/* Gives the number of the value with this name, or 0 when there is none. */
int32_t annals_names_number(const struct annals_names *names, const char *text);

/* Finds a field by AWS's name; NULL when there is none. */
const struct annals_field *annals_message_field_named(const struct annals_message *message,
                                                      const char *json_name);

G_END_DECLS

#endif
