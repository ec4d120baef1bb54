#include "server/ops/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/aws_json.h"
#include "proto/buffer.h"

static const char *const level_names[] = {
    [ANNALS_LOG_DEBUG] = "debug",
    [ANNALS_LOG_INFO] = "info",
    [ANNALS_LOG_WARNING] = "warning",
    [ANNALS_LOG_ERROR] = "error",
};

/* G_LOG_LEVEL_ERROR would abort. */
static const GLogLevelFlags glib_levels[] = {
    [ANNALS_LOG_DEBUG] = G_LOG_LEVEL_DEBUG,
    [ANNALS_LOG_INFO] = G_LOG_LEVEL_INFO,
    [ANNALS_LOG_WARNING] = G_LOG_LEVEL_WARNING,
    [ANNALS_LOG_ERROR] = G_LOG_LEVEL_CRITICAL,
};

/* GLib's writer function is one for the process, and so is what it goes by. */
static gint threshold = ANNALS_LOG_INFO;

static enum annals_log_level level_of(GLogLevelFlags flags) {
  if (flags & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) {
    return ANNALS_LOG_ERROR;
  }
  if (flags & G_LOG_LEVEL_WARNING) {
    return ANNALS_LOG_WARNING;
  }
  return flags & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO) ? ANNALS_LOG_INFO : ANNALS_LOG_DEBUG;
}

static void append_time(struct annals_buffer *line) {
  int64_t now_us = g_get_real_time();
  time_t seconds = now_us / G_USEC_PER_SEC;
  struct tm tm;
  gmtime_r(&seconds, &tm);
  char text[64];
  size_t n = strftime(text, sizeof text, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &tm);
  annals_buffer_append(line, text, n);
  snprintf(text, sizeof text, ".%03dZ\"", (int)(now_us / 1000 % 1000));
  annals_buffer_append_text(line, text);
}

static void append_text(struct annals_buffer *line, const char *text, gssize size) {
  size_t bytes = size < 0 ? strlen(text) : (size_t)size;
  g_autofree char *valid = g_utf8_make_valid(text, MIN(bytes, (size_t)ANNALS_LOG_TEXT_BYTES_MAX));
  annals_aws_json_append_string(line, valid, strlen(valid));
}

static void append_key(struct annals_buffer *line, const char *key) {
  annals_buffer_append_byte(line, ',');
  annals_aws_json_append_string(line, key, strlen(key));
  annals_buffer_append_byte(line, ':');
}

/* A value with a length is a number of annals_log_write. */
static void append_field(struct annals_buffer *line, const GLogField *field) {
  append_key(line, field->key);
  if (field->length < 0) {
    append_text(line, field->value, -1);
    return;
  }
  int64_t number;
  char text[24];
  memcpy(&number, field->value, sizeof number);
  snprintf(text, sizeof text, "%" PRId64, number);
  annals_buffer_append_text(line, text);
}

static const GLogField *find(const GLogField *fields, gsize count, const char *key) {
  for (gsize i = 0; i < count; i++) {
    if (strcmp(fields[i].key, key) == 0) {
      return &fields[i];
    }
  }
  return NULL;
}

static void append_line(struct annals_buffer *line, enum annals_log_level level,
                        const GLogField *fields, gsize count) {
  append_time(line);
  append_key(line, "level");
  append_text(line, level_names[level], -1);
  const GLogField *message = find(fields, count, "MESSAGE");
  append_key(line, "message");
  append_text(line, message == NULL ? "" : message->value, message == NULL ? -1 : message->length);
  const GLogField *domain = find(fields, count, "GLIB_DOMAIN");
  if (domain != NULL) {
    append_key(line, "domain");
    append_text(line, domain->value, domain->length);
  }
  for (gsize i = 0; i < count; i++) {
    if (g_ascii_islower(fields[i].key[0])) {
      append_field(line, &fields[i]);
    }
  }
  annals_buffer_append_text(line, "}\n");
}

static void write_all(const uint8_t *bytes, size_t size) {
  while (size > 0) {
    ssize_t n = write(STDERR_FILENO, bytes, size);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return; /* nobody to tell */
    }
    bytes += n;
    size -= (size_t)n;
  }
}

static GLogWriterOutput write_record(GLogLevelFlags flags, const GLogField *fields, gsize count,
                                     G_GNUC_UNUSED gpointer data) {
  enum annals_log_level level = level_of(flags);
  if ((gint)level < g_atomic_int_get(&threshold)) {
    return G_LOG_WRITER_HANDLED;
  }
  struct annals_buffer line;
  annals_buffer_init(&line, ANNALS_LOG_LINE_BYTES_MAX);
  append_line(&line, level, fields, count);
  if (!line.failed) {
    write_all(line.data, line.len);
  }
  annals_buffer_clear(&line);
  return G_LOG_WRITER_HANDLED;
}

void annals_log_write(enum annals_log_level level, const char *message,
                      const struct annals_log_field *fields, size_t field_count) {
  g_assert(field_count <= ANNALS_LOG_FIELDS_MAX);
  GLogField out[1 + ANNALS_LOG_FIELDS_MAX] = {{"MESSAGE", message, -1}};
  gsize count = 1;
  for (size_t i = 0; i < field_count; i++) {
    const struct annals_log_field *field = &fields[i];
    if (field->is_number) {
      out[count++] = (GLogField){field->key, &field->number, sizeof field->number};
    } else if (field->text != NULL) {
      out[count++] = (GLogField){field->key, field->text, -1};
    }
  }
  g_log_structured_array(glib_levels[level], out, count);
}

void annals_log_start(enum annals_log_level level) {
  annals_log_set_level(level);
  g_log_set_writer_func(write_record, NULL, NULL);
}

void annals_log_set_level(enum annals_log_level level) {
  g_atomic_int_set(&threshold, (gint)level);
}

bool annals_log_level_parse(const char *text, enum annals_log_level *ret_level) {
  for (size_t i = 0; i < G_N_ELEMENTS(level_names); i++) {
    if (strcmp(text, level_names[i]) == 0) {
      *ret_level = (enum annals_log_level)i;
      return true;
    }
  }
  return false;
}
