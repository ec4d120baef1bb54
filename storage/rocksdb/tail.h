/*
 * The end of a history, as an append needs it: the last id, the last event, and the open runs,
 * which the next sealed run will replace.
 *
 * A draft is what a tail will be once the group being written is durable. Only the writer makes
 * drafts; nobody else sees one.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_TAIL_H_
#define ANNALS_STORAGE_ROCKSDB_TAIL_H_

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

/* One run of the open tail; it has a key of its own. */
struct annals_open_run {
  int64_t first_id;
  int64_t last_id;
  GBytes *frames;
};

struct annals_tail {
  int64_t last_id;    /* 0: no such execution */
  int64_t sealed_id;  /* the last one in a sealed run; the open part begins behind it */
  GBytes *last_event; /* its frame; NULL if last_id is 0 */
  GArray *open;       /* struct annals_open_run, ascending */
  size_t open_bytes;
  uint64_t changed; /* the moment (tail_table.h) of the last deletion, or put of a data key, that
                       may have been: what an id does not tell */
};

struct annals_tail_draft {
  bool sealed;             /* the open runs of the tail are replaced by a sealed one */
  bool changed;            /* the execution is deleted, or a data key of it put */
  struct annals_tail next; /* ids and bytes as they will be; open: only what is new */
};

/* Makes an empty tail: of no execution. */
void annals_tail_init(struct annals_tail *tail);
void annals_tail_clear(struct annals_tail *tail);

/* Adds an open run. Memory: takes the reference of frames. */
void annals_tail_add_open(struct annals_tail *tail, int64_t first_id, int64_t last_id,
                          GBytes *frames);
/* Forgets the open runs. */
void annals_tail_drop_open(struct annals_tail *tail);

/* Returns the memory it holds, about. */
size_t annals_tail_bytes(const struct annals_tail *tail);

/* Starts a draft that says what tail says. */
void annals_tail_draft_init(struct annals_tail_draft *draft, const struct annals_tail *tail);
void annals_tail_draft_clear(struct annals_tail_draft *draft);
/* Makes the draft say that the execution is deleted. */
void annals_tail_draft_delete(struct annals_tail_draft *draft);

/* Makes tail what the draft says, and clears the draft. When it was changed stays as it is. */
void annals_tail_commit(struct annals_tail *tail, struct annals_tail_draft *draft);

G_END_DECLS

#endif
