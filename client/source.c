#include "client/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "proto/buffer.h"

enum {
  READ_BYTES = 1 << 16,
  LINE_BYTES_MAX = 64 << 20, /* eight times what an event can become */
};

struct annals_source {
  gzFile file; /* which is fine with what is not compressed */
  struct annals_buffer bytes;
  size_t at; /* in bytes: up to there all was given */
  size_t line;
  bool ended;
};

static bool unreadable(GError **error, const char *text) {
  g_set_error(error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_UNREADABLE, "%s", text);
  return false;
}

struct annals_source *annals_source_open(const char *path, GError **error) {
  int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
  gzFile file = fd >= 0 ? gzdopen(fd, "rb") : NULL;
  if (file == NULL) {
    (void)unreadable(error, g_strerror(errno));
    if (fd >= 0) {
      close(fd);
    }
    return NULL;
  }
  struct annals_source *source = g_new0(struct annals_source, 1);
  source->file = file;
  annals_buffer_init(&source->bytes, G_MAXSSIZE);
  return source;
}

void annals_source_close(struct annals_source *source) {
  if (source != NULL) {
    (void)gzclose(source->file);
    annals_buffer_clear(&source->bytes);
    g_free(source);
  }
}

/* Says what zlib says: of the file's own failures it is errno's. */
static bool fail_read(struct annals_source *source, GError **error) {
  int why = errno;
  int status;
  const char *text = gzerror(source->file, &status);
  const char *behind_name = strstr(text, ">: "); /* "<fd:3>: …" */
  text = behind_name != NULL ? behind_name + 3 : text;
  return unreadable(error, status == Z_ERRNO       ? g_strerror(why)
                           : status == Z_BUF_ERROR ? "the compressed data ends too early"
                                                   : text);
}

/* Reads on; at the end, source->ended. */
static bool fill(struct annals_source *source, GError **error) {
  uint8_t *to = annals_buffer_reserve(&source->bytes, READ_BYTES);
  if (to == NULL) {
    return unreadable(error, g_strerror(ENOMEM));
  }
  int size = gzread(source->file, to, READ_BYTES);
  int status = Z_OK;
  (void)gzerror(source->file, &status);
  if (size < 0 || (size < READ_BYTES && status == Z_BUF_ERROR)) {
    return fail_read(source, error);
  }
  source->bytes.len += (size_t)size;
  source->ended = size == 0;
  return true;
}

/* Moves what is left to the front. */
static void compact(struct annals_source *source) {
  size_t rest = source->bytes.len - source->at;
  if (source->at > 0) {
    memmove(source->bytes.data, source->bytes.data + source->at, rest);
    source->bytes.len = rest;
    source->at = 0;
  }
}

static void give(struct annals_source *source, size_t size, const char **ret_text,
                 size_t *ret_size) {
  *ret_text = (const char *)source->bytes.data + source->at;
  *ret_size = size;
  source->at += size;
}

bool annals_source_next_line(struct annals_source *source, const char **ret_line, size_t *ret_size,
                             GError **error) {
  size_t looked_at = 0;
  for (;;) {
    const uint8_t *from = source->bytes.data + source->at;
    size_t rest = source->bytes.len - source->at;
    const uint8_t *end = rest > looked_at ? memchr(from + looked_at, '\n', rest - looked_at) : NULL;
    if (end != NULL || (source->ended && rest > 0)) {
      source->line++;
      give(source, end != NULL ? (size_t)(end - from) : rest, ret_line, ret_size);
      source->at += end != NULL;
      return true;
    }
    if (source->ended) {
      *ret_line = NULL;
      return true;
    }
    if (rest > LINE_BYTES_MAX) {
      g_set_error(error, ANNALS_AWS_ERROR, ANNALS_AWS_ERROR_LIMIT, "line %zu is too long",
                  source->line + 1);
      return false;
    }
    looked_at = rest;
    compact(source);
    if (!fill(source, error)) {
      return false;
    }
  }
}

size_t annals_source_line(const struct annals_source *source) {
  return source->line;
}

bool annals_source_rest(struct annals_source *source, const char **ret_text, size_t *ret_size,
                        GError **error) {
  while (!source->ended) {
    if (!fill(source, error)) {
      return false;
    }
  }
  give(source, source->bytes.len - source->at, ret_text, ret_size);
  return true;
}

static size_t skip_blanks(const struct annals_source *source, size_t at) {
  while (at < source->bytes.len && source->bytes.data[at] != '\0' &&
         strchr(" \t\r\n", source->bytes.data[at]) != NULL) {
    at++;
  }
  return at;
}

bool annals_source_begins(struct annals_source *source, const char *const *words, bool *ret_begins,
                          GError **error) {
  static const char byte_order_mark[] = "\xef\xbb\xbf";
  while (!source->ended && source->bytes.len - source->at < READ_BYTES) {
    if (!fill(source, error)) {
      return false;
    }
  }
  if (source->bytes.len - source->at >= 3 &&
      memcmp(source->bytes.data + source->at, byte_order_mark, 3) == 0) {
    source->at += 3;
  }
  size_t at = source->at;
  *ret_begins = true;
  for (; *words != NULL; words++) {
    size_t size = strlen(*words);
    at = skip_blanks(source, at);
    *ret_begins = *ret_begins && source->bytes.len - at >= size &&
                  memcmp(source->bytes.data + at, *words, size) == 0;
    at += *ret_begins ? size : 0;
  }
  return true;
}
