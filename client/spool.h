/*
 * Bytes that are kept until it is known whether they are wanted: a few in memory, more in a file
 * without a name below $TMPDIR. Part of the CLI.
 */
#ifndef ANNALS_CLIENT_SPOOL_H_
#define ANNALS_CLIENT_SPOOL_H_

#include <stdio.h>

#include "client/sink.h"
#include "proto/buffer.h"

G_BEGIN_DECLS

struct annals_spool {
  struct annals_buffer memory; /* what is not in the file */
  FILE *file;                  /* NULL: none was needed yet */
  bool in_file;                /* some of the bytes are */
};

void annals_spool_init(struct annals_spool *spool);
void annals_spool_clear(struct annals_spool *spool);

/* Forgets the bytes. Errors: returns false with errno. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_spool_reset(struct annals_spool *spool);

/* Keeps bytes behind those there are. Errors: returns false with errno. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_spool_write(struct annals_spool *spool, const void *bytes, size_t size);

/* Writes all into a sink. Errors: returns false with errno. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_spool_copy(struct annals_spool *spool, struct annals_sink *sink);

G_END_DECLS

#endif
