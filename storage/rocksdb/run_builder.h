/*
 * Decides which runs an append becomes.
 *
 * An append's events join the open part of the history one by one. When it has
 * ANNALS_RUN_EVENTS_MAX events or ANNALS_RUN_BYTES_MIN bytes it becomes one sealed run, which
 * replaces the open runs it was made of. What is left of the append at the end becomes one open
 * run, or, if the history is likely complete, a last sealed one. An append that is big so never
 * writes an event twice.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_RUN_BUILDER_H_
#define ANNALS_STORAGE_ROCKSDB_RUN_BUILDER_H_

#include "storage/rocksdb/key.h"
#include "storage/rocksdb/tail.h"
#include "storage/store.h"

G_BEGIN_DECLS

enum {
  /* A page of AWS is 100 events unless asked otherwise: one run. Measured: DESIGN.md, Storage. */
  ANNALS_RUN_EVENTS_MAX = 100,
  /* Histories with large payloads: no run is rewritten more than it is worth. */
  ANNALS_RUN_BYTES_MIN = 64 << 10,
};

/* Frames in pieces. As many as a run may have open runs before it is sealed, and the append. */
struct annals_slices {
  int count;
  const char *bytes[ANNALS_RUN_EVENTS_MAX + 1];
  size_t sizes[ANNALS_RUN_EVENTS_MAX + 1];
};

/* Takes what is to be written. */
struct annals_run_sink {
  void (*put)(struct annals_run_sink *sink, const struct annals_key *key,
              const struct annals_slices *value);
  void (*drop)(struct annals_run_sink *sink, const struct annals_key *key);
};

/*
 * Adds an append behind the draft, which is of tail, and emits what it writes. The append expects
 * the draft's last id, and is framed as it says.
 */
void annals_run_builder_add(const struct annals_tail *tail, struct annals_tail_draft *draft,
                            const struct annals_store_append *append, struct annals_run_sink *sink);

/* Returns about how many bytes an append behind tail writes: its own, and the open runs if it seals
 * them. */
size_t annals_run_builder_bytes(const struct annals_tail *tail,
                                const struct annals_store_append *append);

G_END_DECLS

#endif
