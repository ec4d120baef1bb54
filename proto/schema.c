#include "proto/schema.h"

#include <string.h>

#include "annals/v1/history_event.pb-c.h"
#include "annals/v1/history_service.pb-c.h"
#include "proto/wire.h"

enum { EVENT_TYPES = 62 };

struct annals_schema {
  GHashTable *messages; /* name without package -> struct annals_message */
  GHashTable *enums;    /* descriptor -> struct annals_names */
  const struct annals_message *event;
  struct annals_event_type types[EVENT_TYPES + 1]; /* by number */
};

struct member_rule {
  const char *message;
  const char *field;
  size_t bytes_max;
  bool always;
  bool data;
  bool secret;
};

static const struct member_rule member_rules[] = {
#define ALWAYS true
#define NONZERO false
#define DATA true, false
#define PLAIN false, false
#define SECRET_DATA true, true
#define SECRET false, true
#define ANNALS_EVENT_MEMBER(message, field, bytes_max, written, kind) \
  {#message, #field, bytes_max, written, kind},
#include "proto/event_members.def"
#undef ANNALS_EVENT_MEMBER
#undef ALWAYS
#undef NONZERO
#undef DATA
#undef PLAIN
#undef SECRET_DATA
#undef SECRET
};

/* Members of executions that AWS JSON writes also when zero or empty. */
static const struct {
  const char *message;
  const char *field;
} execution_rules[] = {
#define ANNALS_EXECUTION_MEMBER(message, field) {#message, #field},
#include "proto/execution_members.def"
#undef ANNALS_EXECUTION_MEMBER
};

struct type_rule {
  const char *type;
  const char *details;
  enum annals_status status;
};

static const struct type_rule type_rules[] = {
#define ANNALS_EVENT_TYPE(type, details, status) {#type, #details, ANNALS_STATUS_##status},
#include "proto/event_types.def"
#undef ANNALS_EVENT_TYPE
};

G_STATIC_ASSERT(G_N_ELEMENTS(type_rules) == EVENT_TYPES);

/* executions_of_x, EXECUTIONS_OF_X -> executionsOfX, ExecutionsOfX */
static char *camel_case(const char *words, bool capital) {
  GString *out = g_string_new(NULL);
  for (const char *c = words; *c != '\0'; c++) {
    if (*c == '_') {
      capital = true;
      continue;
    }
    g_string_append_c(out, capital ? g_ascii_toupper(*c) : g_ascii_tolower(*c));
    capital = false;
  }
  return g_string_free(out, FALSE);
}

static void set_block(char block[ANNALS_NAME_BLOCK_BYTES], const char *text, size_t *ret_size) {
  *ret_size = g_strlcpy(block, text, ANNALS_NAME_BLOCK_BYTES);
  g_assert(*ret_size < ANNALS_NAME_BLOCK_BYTES);
}

/* EXECUTION_STATUS_RUNNING is RUNNING to AWS. Only the types of events are in camel case. */
static const struct annals_names *names_of(struct annals_schema *schema,
                                           const ProtobufCEnumDescriptor *descriptor) {
  struct annals_names *names = g_hash_table_lookup(schema->enums, descriptor);
  if (names != NULL) {
    return names;
  }
  g_assert(g_str_has_suffix(descriptor->values[0].name, "UNSPECIFIED"));
  size_t prefix_size = strlen(descriptor->values[0].name) - strlen("UNSPECIFIED");
  bool camel = descriptor == &annals__v1__history_event_type__descriptor;
  names = g_new0(struct annals_names, 1);
  names->count = descriptor->n_values;
  names->names = g_new0(struct annals_name, descriptor->n_values);
  g_hash_table_insert(schema->enums, (gpointer)descriptor, names);
  for (size_t i = 1; i < names->count; i++) {
    g_assert_cmpint(descriptor->values[i].value, ==, (int)i);
    const char *text = descriptor->values[i].name + prefix_size;
    g_autofree char *name = camel ? camel_case(text, true) : g_strdup(text);
    set_block(names->names[i].text, name, &names->names[i].size);
  }
  return names;
}

static const struct annals_message *message_of(struct annals_schema *schema,
                                               const ProtobufCMessageDescriptor *descriptor);

static bool is_string_map(const ProtobufCFieldDescriptor *descriptor) {
  return descriptor->label == PROTOBUF_C_LABEL_REPEATED &&
         descriptor->type == PROTOBUF_C_TYPE_MESSAGE;
}

static enum annals_kind kind_of(const ProtobufCFieldDescriptor *descriptor) {
  switch (descriptor->type) {
    case PROTOBUF_C_TYPE_INT32:
      return ANNALS_KIND_INT32;
    case PROTOBUF_C_TYPE_INT64:
      return ANNALS_KIND_INT64;
    case PROTOBUF_C_TYPE_BOOL:
      return ANNALS_KIND_BOOL;
    case PROTOBUF_C_TYPE_ENUM:
      return ANNALS_KIND_ENUM;
    case PROTOBUF_C_TYPE_STRING:
      return ANNALS_KIND_STRING;
    case PROTOBUF_C_TYPE_MESSAGE:
      if (is_string_map(descriptor)) {
        return ANNALS_KIND_STRING_MAP;
      }
      return descriptor->descriptor == &google__protobuf__timestamp__descriptor
                 ? ANNALS_KIND_TIMESTAMP
                 : ANNALS_KIND_MESSAGE;
    default:
      g_error("field %s has a type that is not known here", descriptor->name);
  }
}

static void apply_rule(struct annals_field *field, const char *message) {
  for (size_t i = 0; i < G_N_ELEMENTS(member_rules); i++) {
    const struct member_rule *rule = &member_rules[i];
    if (strcmp(rule->message, message) == 0 && strcmp(rule->field, field->name) == 0) {
      field->bytes_max = rule->bytes_max;
      field->always = rule->always;
      field->data = rule->data;
      field->secret = rule->secret;
    }
  }
  for (size_t i = 0; i < G_N_ELEMENTS(execution_rules); i++) {
    if (strcmp(execution_rules[i].message, message) == 0 &&
        strcmp(execution_rules[i].field, field->name) == 0) {
      field->always = true;
    }
  }
}

/* All numbers of events' details count something. */
static bool is_natural(const char *message, enum annals_kind kind) {
  return (kind == ANNALS_KIND_INT32 || kind == ANNALS_KIND_INT64) &&
         g_str_has_suffix(message, "EventDetails");
}

static void init_field(struct annals_schema *schema, const char *message,
                       const ProtobufCFieldDescriptor *from, struct annals_field *field) {
  g_assert(from->id < ANNALS_SCHEMA_NUMBERS);
  g_assert(from->label != PROTOBUF_C_LABEL_REPEATED || is_string_map(from));
  field->number = from->id;
  field->name = from->name;
  field->kind = kind_of(from);
  field->wire_type = field->kind <= ANNALS_KIND_ENUM ? ANNALS_WIRE_VARINT : ANNALS_WIRE_BYTES;
  field->natural = is_natural(message, field->kind);
  field->details = (from->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
  field->json_name = camel_case(from->name, false);
  bool text = field->kind == ANNALS_KIND_STRING || field->kind == ANNALS_KIND_ENUM;
  g_autofree char *key = g_strdup_printf(",\"%s\":%s", field->json_name, text ? "\"" : "");
  set_block(field->json_key, key, &field->json_key_size);
  if (from->type == PROTOBUF_C_TYPE_MESSAGE) {
    field->message = message_of(schema, from->descriptor);
  } else if (from->type == PROTOBUF_C_TYPE_ENUM) {
    field->names = names_of(schema, from->descriptor);
  }
  apply_rule(field, message);
}

/* Depth is that of the .proto, in which no message holds itself. */
static const struct annals_message *message_of(struct annals_schema *schema,
                                               const ProtobufCMessageDescriptor *descriptor) {
  struct annals_message *message = g_hash_table_lookup(schema->messages, descriptor->short_name);
  if (message != NULL) {
    return message;
  }
  g_assert(descriptor->n_fields <= ANNALS_SCHEMA_FIELDS);
  message = g_new0(struct annals_message, 1);
  message->name = descriptor->short_name;
  message->field_count = descriptor->n_fields;
  g_hash_table_insert(schema->messages, (gpointer)descriptor->short_name, message);
  for (unsigned i = 0; i < descriptor->n_fields; i++) {
    init_field(schema, descriptor->short_name, &descriptor->fields[i], &message->fields[i]);
    message->index[descriptor->fields[i].id] = (uint8_t)(i + 1);
  }
  message->next_always[message->field_count] = (uint8_t)message->field_count;
  for (size_t i = message->field_count; i-- > 0;) {
    message->next_always[i] = message->fields[i].always ? (uint8_t)i : message->next_always[i + 1];
  }
  return message;
}

static uint32_t details_number(const struct annals_message *event, const char *name) {
  for (size_t i = 0; i < event->field_count; i++) {
    if (strcmp(event->fields[i].name, name) == 0) {
      g_assert(event->fields[i].details);
      return event->fields[i].number;
    }
  }
  g_assert_cmpstr(name, ==, "NONE");
  return 0;
}

static void init_types(struct annals_schema *schema) {
  const struct annals_names *names = names_of(schema, &annals__v1__history_event_type__descriptor);
  g_assert(names->count == EVENT_TYPES + 1);
  for (size_t i = 0; i < EVENT_TYPES; i++) {
    const struct type_rule *rule = &type_rules[i];
    g_autofree char *name = g_strconcat("HISTORY_EVENT_TYPE_", rule->type, NULL);
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(
        &annals__v1__history_event_type__descriptor, name);
    g_assert(value != NULL && value->value > 0);
    struct annals_event_type *type = &schema->types[value->value];
    g_assert(type->aws_name == NULL);
    type->number = value->value;
    type->aws_name = names->names[value->value].text;
    type->details = details_number(schema->event, rule->details);
    type->status = rule->status;
  }
}

static void message_free(gpointer data) {
  struct annals_message *message = data;
  for (size_t i = 0; i < message->field_count; i++) {
    g_free(message->fields[i].json_name);
  }
  g_free(message);
}

static void names_free(gpointer data) {
  struct annals_names *names = data;
  g_free(names->names);
  g_free(names);
}

struct annals_schema *annals_schema_new(void) {
  struct annals_schema *schema = g_new0(struct annals_schema, 1);
  schema->messages = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, message_free);
  schema->enums = g_hash_table_new_full(NULL, NULL, NULL, names_free);
  schema->event = message_of(schema, &annals__v1__history_event__descriptor);
  message_of(schema, &annals__v1__describe_execution_response__descriptor);
  message_of(schema, &annals__v1__execution_list_item__descriptor);
  init_types(schema);
  return schema;
}

void annals_schema_free(struct annals_schema *schema) {
  if (schema == NULL) {
    return;
  }
  g_hash_table_destroy(schema->messages);
  g_hash_table_destroy(schema->enums);
  g_free(schema);
}

const struct annals_message *annals_schema_event(const struct annals_schema *schema) {
  return schema->event;
}

const struct annals_message *annals_schema_message(const struct annals_schema *schema,
                                                   const char *name) {
  const struct annals_message *message = g_hash_table_lookup(schema->messages, name);
  g_assert(message != NULL);
  return message;
}

const struct annals_event_type *annals_schema_type(const struct annals_schema *schema,
                                                   int64_t number) {
  return number >= 1 && number <= EVENT_TYPES ? &schema->types[number] : NULL;
}

const struct annals_event_type *annals_schema_type_named(const struct annals_schema *schema,
                                                         const char *aws_name) {
  for (size_t i = 1; i <= EVENT_TYPES; i++) {
    if (strcmp(schema->types[i].aws_name, aws_name) == 0) {
      return &schema->types[i];
    }
  }
  return NULL;
}

int32_t annals_names_number(const struct annals_names *names, const char *text) {
  for (size_t i = 1; i < names->count; i++) {
    if (strcmp(names->names[i].text, text) == 0) {
      return (int32_t)i;
    }
  }
  return 0;
}

const struct annals_field *annals_message_field_named(const struct annals_message *message,
                                                      const char *json_name) {
  for (size_t i = 0; i < message->field_count; i++) {
    if (strcmp(message->fields[i].json_name, json_name) == 0) {
      return &message->fields[i];
    }
  }
  return NULL;
}
