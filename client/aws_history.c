#include "client/aws_history.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "client/aws_event.h"

/* Where an event stands: in the file, and then in bytes. */
struct place {
  int64_t id;
  size_t page;
  size_t index; /* in its page */
  size_t offset;
  size_t size;
};

struct annals_aws_history {
  struct annals_buffer bytes; /* all events, in the order of the file */
  GArray *places;             /* struct place; sorted by id in the end */
  GArray *events;             /* struct annals_client_event */
};

/*
 * Walks pages and arrays by hand and gives only single events to jansson, so that a file of any
 * size costs the objects of one event.
 */
struct scanner {
  const struct annals_schema *schema;
  struct annals_aws_history *history;
  const char *text;
  size_t size;
  size_t at;
  size_t line;    /* of line_at */
  size_t line_at; /* up to where lines were counted */
  size_t page;    /* pages that were begun */
  size_t index;   /* events of the current page */
  GError **error;
};

static size_t line_at(struct scanner *scanner, size_t at) {
  for (; scanner->line_at < at; scanner->line_at++) {
    scanner->line += scanner->text[scanner->line_at] == '\n';
  }
  return scanner->line;
}

G_GNUC_PRINTF(2, 3)
static bool fail(struct scanner *scanner, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error(scanner->error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_FILE, "line %zu: %s",
              line_at(scanner, scanner->at) + 1, text);
  return false;
}

/* The next character that is not blank, or 0 at the end. */
static char peek(struct scanner *scanner) {
  while (scanner->at < scanner->size && scanner->text[scanner->at] != '\0' &&
         strchr(" \t\r\n", scanner->text[scanner->at]) != NULL) {
    scanner->at++;
  }
  return scanner->at < scanner->size ? scanner->text[scanner->at] : '\0';
}

static bool take(struct scanner *scanner, char c) {
  if (peek(scanner) != c) {
    return false;
  }
  scanner->at++;
  return true;
}

/* One JSON value of any kind, as objects; NULL with the error set if it is none. */
static json_t *take_value(struct scanner *scanner) {
  json_error_t error;
  char first = peek(scanner);
  json_t *value =
      json_loadb(scanner->text + scanner->at, scanner->size - scanner->at,
                 JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &error);
  if (value == NULL) {
    size_t line = line_at(scanner, scanner->at) + (size_t)MAX(error.line, 1);
    g_set_error(scanner->error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_FILE, "line %zu: %s", line,
                first == '\0' ? "the file ends too early" : error.text);
    return NULL;
  }
  scanner->at += (size_t)error.position;
  return value;
}

/* Prefixes an event's error with where it stands. */
static void prefix_place(GError **error, size_t page, size_t index) {
  if (page == 0) {
    g_prefix_error(error, "events[%zu].", index);
  } else {
    g_prefix_error(error, "pages[%zu].events[%zu].", page, index);
  }
}

static bool take_event(struct scanner *scanner) {
  struct annals_aws_history *history = scanner->history;
  struct place place = {
      .page = scanner->page,
      .index = scanner->index++,
      .offset = history->bytes.len,
  };
  if (peek(scanner) != '{') {
    return fail(scanner, "events[%zu] is not an object", place.index);
  }
  json_t *event = take_value(scanner);
  if (event == NULL) {
    return false;
  }
  bool ok =
      annals_aws_event_append(scanner->schema, event, &history->bytes, &place.id, scanner->error);
  json_decref(event);
  if (!ok) {
    prefix_place(scanner->error, place.page, place.index);
    return false;
  }
  place.size = history->bytes.len - place.offset;
  g_array_append_val(history->places, place);
  return true;
}

/* The rest of an array after its bracket. */
static bool take_elements(struct scanner *scanner, bool (*take_element)(struct scanner *)) {
  if (take(scanner, ']')) {
    return true;
  }
  for (;;) {
    if (!take_element(scanner)) {
      return false;
    }
    if (take(scanner, ']')) {
      return true;
    }
    if (!take(scanner, ',')) {
      return fail(scanner, "',' or ']' is missing");
    }
  }
}

/* A member's name with its colon. */
static bool take_name(struct scanner *scanner, char **ret_name) {
  if (peek(scanner) != '"') {
    return fail(scanner, "a member's name is missing");
  }
  json_t *name = take_value(scanner);
  if (name == NULL) {
    return false;
  }
  *ret_name = g_strdup(json_string_value(name));
  json_decref(name);
  if (!take(scanner, ':')) {
    g_clear_pointer(ret_name, g_free);
    return fail(scanner, "':' is missing");
  }
  return true;
}

static bool take_page_member(struct scanner *scanner, bool *has_events) {
  g_autofree char *name = NULL;
  if (!take_name(scanner, &name)) {
    return false;
  }
  if (g_strcmp0(name, "events") == 0) {
    if (*has_events) {
      return fail(scanner, "a page has 'events' twice");
    }
    *has_events = true;
    if (!take(scanner, '[')) {
      return fail(scanner, "'events' must be an array");
    }
    return take_elements(scanner, take_event);
  }
  json_t *value = take_value(scanner);
  json_decref(value);
  return value != NULL;
}

static bool take_page(struct scanner *scanner) {
  bool has_events = false;
  scanner->index = 0;
  g_assert(take(scanner, '{'));
  if (!take(scanner, '}')) {
    do {
      if (!take_page_member(scanner, &has_events)) {
        return false;
      }
    } while (take(scanner, ','));
    if (!take(scanner, '}')) {
      return fail(scanner, "',' or '}' is missing");
    }
  }
  if (!has_events) {
    return fail(scanner, "an object has no 'events'");
  }
  scanner->page++;
  scanner->index = 0;
  return true;
}

/* An object whose first member is one of an event's is an event, any other a page. */
static bool is_event(struct scanner *scanner, bool *ret_is) {
  size_t start = scanner->at;
  g_autofree char *name = NULL;
  g_assert(take(scanner, '{'));
  if (peek(scanner) == '"' && !take_name(scanner, &name)) {
    return false;
  }
  scanner->at = start;
  *ret_is = name != NULL &&
            annals_message_field_named(annals_schema_event(scanner->schema), name) != NULL;
  return true;
}

static bool take_page_or_event(struct scanner *scanner) {
  if (peek(scanner) != '{') {
    return fail(scanner, "neither a page of events nor an event");
  }
  bool event;
  return is_event(scanner, &event) && (event ? take_event(scanner) : take_page(scanner));
}

static bool take_document(struct scanner *scanner) {
  static const char byte_order_mark[] = "\xef\xbb\xbf";
  if (scanner->size >= 3 && memcmp(scanner->text, byte_order_mark, 3) == 0) {
    scanner->at = 3;
  }
  for (peek(scanner); scanner->at < scanner->size; peek(scanner)) {
    bool ok = take(scanner, '[') ? take_elements(scanner, take_page_or_event)
                                 : take_page_or_event(scanner);
    if (!ok) {
      return false;
    }
  }
  return true;
}

static gint compare_places(gconstpointer a, gconstpointer b) {
  const struct place *x = a;
  const struct place *y = b;
  if (x->id != y->id) {
    return x->id < y->id ? -1 : 1;
  }
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Tells whether place follows the one before it, repeats it, or is a fault. */
static bool check_neighbours(const struct annals_aws_history *history, const struct place *before,
                             const struct place *place, bool *ret_repeats, GError **error) {
  *ret_repeats = place->id == before->id;
  if (*ret_repeats) {
    if (place->size == before->size &&
        memcmp(history->bytes.data + place->offset, history->bytes.data + before->offset,
               place->size) == 0) {
      return true;
    }
    g_set_error(error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_CONFLICT,
                "id: %" PRId64 " is also that of another event with a different content",
                place->id);
  } else if (place->id == before->id + 1) {
    return true;
  } else {
    g_set_error(error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_GAP,
                "id: %" PRId64 " is the next after %" PRId64 ": events are missing", place->id,
                before->id);
  }
  prefix_place(error, place->page, place->index);
  return false;
}

/* Sorts, folds repetitions and makes the views. */
static bool finish(struct annals_aws_history *history, GError **error) {
  if (history->bytes.failed) {
    g_set_error(error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_FILE, "does not fit into memory");
    return false;
  }
  if (history->places->len == 0) {
    g_set_error(error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_FILE, "holds no events");
    return false;
  }
  g_array_sort(history->places, compare_places);
  for (guint i = 0; i < history->places->len; i++) {
    const struct place *place = &g_array_index(history->places, struct place, i);
    bool repeats = false;
    if (i > 0 && !check_neighbours(history, place - 1, place, &repeats, error)) {
      return false;
    }
    struct annals_client_event event = {history->bytes.data + place->offset, place->size};
    if (!repeats) {
      g_array_append_val(history->events, event);
    }
  }
  return true;
}

struct annals_aws_history *annals_aws_history_parse(const struct annals_schema *schema,
                                                    const char *text, size_t size, GError **error) {
  struct annals_aws_history *history = g_new0(struct annals_aws_history, 1);
  annals_buffer_init(&history->bytes, G_MAXSSIZE);
  history->places = g_array_new(FALSE, FALSE, sizeof(struct place));
  history->events = g_array_new(FALSE, FALSE, sizeof(struct annals_client_event));
  GError *fault = NULL;
  struct scanner scanner = {
      .schema = schema,
      .history = history,
      .text = text,
      .size = size,
      .error = &fault,
  };
  if (!take_document(&scanner) || !finish(history, &fault)) {
    annals_aws_history_free(history);
    g_propagate_error(error, fault);
    return NULL;
  }
  return history;
}

void annals_aws_history_free(struct annals_aws_history *history) {
  if (history == NULL) {
    return;
  }
  annals_buffer_clear(&history->bytes);
  g_array_unref(history->places);
  g_array_unref(history->events);
  g_free(history);
}

const struct annals_client_event *annals_aws_history_events(
    const struct annals_aws_history *history, size_t *ret_count) {
  *ret_count = history->events->len;
  return (const struct annals_client_event *)(const void *)history->events->data;
}

struct annals_aws_history *annals_aws_history_read(const struct annals_schema *schema,
                                                   struct annals_source *source, GError **error) {
  const char *text;
  size_t size;
  return annals_source_rest(source, &text, &size, error)
             ? annals_aws_history_parse(schema, text, size, error)
             : NULL;
}
