#include "client/spool.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

enum {
  MEMORY_BYTES = 1 << 20,
  COPY_BYTES = 1 << 16,
};

void annals_spool_init(struct annals_spool *spool) {
  *spool = (struct annals_spool){0};
  annals_buffer_init(&spool->memory, G_MAXSSIZE);
}

void annals_spool_clear(struct annals_spool *spool) {
  annals_buffer_clear(&spool->memory);
  if (spool->file != NULL) {
    fclose(spool->file);
  }
}

bool annals_spool_reset(struct annals_spool *spool) {
  annals_buffer_reset(&spool->memory);
  if (!spool->in_file) {
    return true;
  }
  spool->in_file = false;
  /* The disk's room is given back. */
  return fseeko(spool->file, 0, SEEK_SET) == 0 && ftruncate(fileno(spool->file), 0) == 0;
}

static bool open_file(struct annals_spool *spool) {
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "annals-export.XXXXXX", NULL);
  int fd = g_mkstemp(path);
  if (fd < 0) {
    return false;
  }
  (void)g_unlink(path);
  spool->file = fdopen(fd, "w+");
  return spool->file != NULL;
}

static bool spill(struct annals_spool *spool) {
  if (spool->file == NULL && !open_file(spool)) {
    return false;
  }
  spool->in_file = true;
  bool ok = fwrite(spool->memory.data, 1, spool->memory.len, spool->file) == spool->memory.len;
  annals_buffer_reset(&spool->memory);
  return ok;
}

bool annals_spool_write(struct annals_spool *spool, const void *bytes, size_t size) {
  annals_buffer_append(&spool->memory, bytes, size);
  if (spool->memory.failed) {
    errno = ENOMEM;
    return false;
  }
  return spool->memory.len < MEMORY_BYTES || spill(spool);
}

static bool copy_file(struct annals_spool *spool, struct annals_sink *sink) {
  uint8_t bytes[COPY_BYTES];
  size_t size;
  if (fflush(spool->file) != 0 || fseeko(spool->file, 0, SEEK_SET) != 0) {
    return false;
  }
  while ((size = fread(bytes, 1, sizeof bytes, spool->file)) > 0) {
    if (!annals_sink_write(sink, bytes, size)) {
      return false;
    }
  }
  return ferror(spool->file) == 0;
}

bool annals_spool_copy(struct annals_spool *spool, struct annals_sink *sink) {
  return (!spool->in_file || copy_file(spool, sink)) &&
         (spool->memory.len == 0 || annals_sink_write(sink, spool->memory.data, spool->memory.len));
}
