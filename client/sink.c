#include "client/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdint.h>
#include <unistd.h>
#include <zlib.h>

enum {
  CHUNK_BYTES = 1 << 16,
  GZIP_WINDOW_BITS = 15 + 16, /* zlib: the largest window, in gzip's format */
  GZIP_MEMORY_LEVEL = 8,
  FILE_MODE = 0600,
};

struct annals_sink {
  FILE *stream;
  char *path;      /* the file's; NULL: a stream of the caller's */
  char *temporary; /* where it is written; NULL: no more */
  bool gzip;
  z_stream deflate;
  int error_number; /* of the first failure; 0: none */
};

static bool fail(struct annals_sink *sink) {
  sink->error_number = sink->error_number != 0 ? sink->error_number : errno;
  errno = sink->error_number;
  return false;
}

static bool open_file(struct annals_sink *sink, const char *path, GError **error) {
  g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);
  int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, FILE_MODE);
  if (fd < 0) {
    int why = errno;
    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(why), "cannot write %s: %s", path,
                g_strerror(why));
    return false;
  }
  sink->path = g_strdup(path);
  sink->temporary = g_steal_pointer(&temporary);
  sink->stream = fdopen(fd, "w");
  g_assert(sink->stream != NULL);
  return true;
}

struct annals_sink *annals_sink_open(FILE *stream, const char *path, bool gzip, GError **error) {
  struct annals_sink *sink = g_new0(struct annals_sink, 1);
  sink->stream = stream;
  if (path != NULL && !open_file(sink, path, error)) {
    g_free(sink);
    return NULL;
  }
  sink->gzip = gzip;
  if (gzip) {
    int status = deflateInit2(&sink->deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS,
                              GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
    g_assert(status == Z_OK);
  }
  return sink;
}

static bool write_plain(struct annals_sink *sink, const void *bytes, size_t size) {
  return fwrite(bytes, 1, size, sink->stream) == size || fail(sink);
}

/* Compresses what is there, and if flush says so, ends the stream. */
static bool write_deflated(struct annals_sink *sink, int flush) {
  uint8_t chunk[CHUNK_BYTES];
  do {
    sink->deflate.next_out = chunk;
    sink->deflate.avail_out = sizeof chunk;
    int status = deflate(&sink->deflate, flush);
    g_assert(status != Z_STREAM_ERROR);
    if (!write_plain(sink, chunk, sizeof chunk - sink->deflate.avail_out)) {
      return false;
    }
  } while (sink->deflate.avail_out == 0);
  return true;
}

bool annals_sink_write(struct annals_sink *sink, const void *bytes, size_t size) {
  if (sink->error_number != 0) {
    return fail(sink);
  }
  if (!sink->gzip) {
    return write_plain(sink, bytes, size);
  }
  for (const uint8_t *at = bytes; size > 0;) {
    size_t part = MIN(size, (size_t)CHUNK_BYTES);
    sink->deflate.next_in = (Bytef *)at;
    sink->deflate.avail_in = (uInt)part;
    if (!write_deflated(sink, Z_NO_FLUSH)) {
      return false;
    }
    at += part;
    size -= part;
  }
  return true;
}

bool annals_sink_finish(struct annals_sink *sink) {
  if (sink->error_number != 0 || (sink->gzip && !write_deflated(sink, Z_FINISH)) ||
      fflush(sink->stream) != 0) {
    return fail(sink);
  }
  if (sink->path != NULL) {
    if (fsync(fileno(sink->stream)) != 0 || g_rename(sink->temporary, sink->path) != 0) {
      return fail(sink);
    }
    g_clear_pointer(&sink->temporary, g_free);
  }
  return true;
}

void annals_sink_free(struct annals_sink *sink) {
  if (sink == NULL) {
    return;
  }
  if (sink->gzip) {
    (void)deflateEnd(&sink->deflate);
  }
  if (sink->path != NULL) {
    fclose(sink->stream);
  }
  if (sink->temporary != NULL) {
    (void)g_unlink(sink->temporary);
  }
  g_free(sink->temporary);
  g_free(sink->path);
  g_free(sink);
}
