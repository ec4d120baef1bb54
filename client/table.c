#include "client/table.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "client/aws_time.h"
#include "proto/wire.h"

/* Longest cause that is looked at: more fits on no line. */
enum { TEXT_BYTES_MAX = 1000 };

/* What is shown of details, in this order, if they have it. */
static const struct {
  const char *name; /* of the field */
  const char *format;
} shown[] = {
    {"name", "%s"},         {"state", "%s"},
    {"resource", "%s"},     {"worker_name", "%s"},
    {"map_run_arn", "%s"},  {"index", "#%s"},
    {"length", "%s items"}, {"redrive_count", "redrive %s"},
    {"error", "%s"},        {"location", "at %s"},
    {"cause", "%s"},
};

struct row {
  int64_t id;
  int64_t previous;
  int64_t type;
  struct annals_time time;
  const struct annals_field *details; /* NULL: none */
  struct annals_wire_field details_bytes;
};

size_t annals_table_width(FILE *out) {
  struct winsize size;
  int fd = fileno(out);
  return fd >= 0 && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static bool read_time(const struct annals_wire_field *bytes, struct annals_time *ret_time) {
  struct annals_wire_reader reader = {bytes->bytes, bytes->bytes + bytes->size};
  struct annals_wire_field field;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &field)) == ANNALS_WIRE_FIELD) {
    if (field.number == 1) {
      ret_time->seconds = (int64_t)field.varint;
    } else if (field.number == 2) {
      ret_time->nanos = (int32_t)field.varint;
    }
  }
  return result == ANNALS_WIRE_END;
}

static bool read_field(const struct annals_field *known, const struct annals_wire_field *field,
                       struct row *row) {
  if (known->kind == ANNALS_KIND_TIMESTAMP) {
    return field->type == ANNALS_WIRE_BYTES && read_time(field, &row->time);
  }
  if (known->details) {
    row->details = known;
    row->details_bytes = *field;
    return field->type == ANNALS_WIRE_BYTES;
  }
  if (known->kind == ANNALS_KIND_ENUM) {
    row->type = (int64_t)field->varint;
  } else if (strcmp(known->name, "id") == 0) {
    row->id = (int64_t)field->varint;
  } else {
    row->previous = (int64_t)field->varint;
  }
  return true;
}

static bool read_row(const struct annals_schema *schema, struct annals_client_event event,
                     struct row *row) {
  struct annals_wire_reader reader = {event.data, event.data + event.size};
  struct annals_wire_field field;
  enum annals_wire_result result;
  while ((result = annals_wire_next(&reader, &field)) == ANNALS_WIRE_FIELD) {
    const struct annals_field *known =
        annals_message_field(annals_schema_event(schema), field.number);
    if (known != NULL && !read_field(known, &field, row)) {
      return false;
    }
  }
  return result == ANNALS_WIRE_END;
}

/* The value of a member as text; NULL when the message does not have it. Zeros of members that AWS
 * always writes are not on the wire. */
static char *member_text(const struct row *row, const char *name) {
  struct annals_wire_reader reader = {row->details_bytes.bytes,
                                      row->details_bytes.bytes + row->details_bytes.size};
  struct annals_wire_field field;
  const struct annals_field *wanted = NULL;
  const struct annals_message *message = row->details->message;
  for (size_t i = 0; i < message->field_count && wanted == NULL; i++) {
    wanted = strcmp(message->fields[i].name, name) == 0 ? &message->fields[i] : NULL;
  }
  if (wanted == NULL) {
    return NULL;
  }
  while (annals_wire_next(&reader, &field) == ANNALS_WIRE_FIELD) {
    if (field.number == wanted->number) {
      return field.type == ANNALS_WIRE_BYTES
                 ? g_strndup((const char *)field.bytes, MIN(field.size, (size_t)TEXT_BYTES_MAX))
                 : g_strdup_printf("%" PRId64, (int64_t)field.varint);
    }
  }
  return wanted->always && wanted->kind != ANNALS_KIND_STRING ? g_strdup("0") : NULL;
}

static void append_details(GString *line, const struct row *row) {
  for (size_t i = 0; i < G_N_ELEMENTS(shown); i++) {
    g_autofree char *text = member_text(row, shown[i].name);
    if (text == NULL) {
      continue;
    }
    const char *hole = strstr(shown[i].format, "%s");
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_string_append(line, "  ");
    g_string_append_len(line, shown[i].format, hole - shown[i].format);
    g_string_append(line, valid);
    g_string_append(line, hole + strlen("%s"));
  }
}

/* Columns that a character takes on a terminal. */
static size_t columns_of(gunichar c) {
  if (g_unichar_iszerowidth(c)) {
    return 0;
  }
  return g_unichar_iswide(c) ? 2 : 1;
}

void annals_table_write_line(const char *line, size_t width, FILE *out) {
  size_t used = 0;
  for (const char *at = line; *at != '\0'; at = g_utf8_next_char(at)) {
    gunichar c = g_utf8_get_char(at);
    char text[7] = {0};
    if (g_unichar_iscntrl(c)) {
      c = ' ';
    }
    used += columns_of(c);
    if (width > 0 && used > width) {
      break;
    }
    g_unichar_to_utf8(c, text);
    fputs(text, out);
  }
  fputc('\n', out);
}

void annals_table_write_header(size_t width, FILE *out) {
  g_autofree char *line =
      g_strdup_printf("%6s  %-24s  %-28s  %8s  %s", "ID", "TIME", "TYPE", "PREVIOUS", "DETAIL");
  annals_table_write_line(line, width, out);
}

bool annals_table_write_event(const struct annals_schema *schema, struct annals_client_event event,
                              size_t width, FILE *out) {
  struct row row = {0};
  if (!read_row(schema, event, &row)) {
    return false;
  }
  char time[ANNALS_TIME_TEXT_SIZE];
  annals_time_to_text(row.time, time);
  const struct annals_event_type *type = annals_schema_type(schema, row.type);
  GString *line = g_string_new(NULL);
  g_string_append_printf(line, "%6" PRId64 "  %-24s  %-28s  %8" PRId64, row.id, time,
                         type != NULL ? type->aws_name : "?", row.previous);
  if (row.details != NULL) {
    append_details(line, &row);
  }
  annals_table_write_line(line->str, width, out);
  g_string_free(line, TRUE);
  return true;
}
