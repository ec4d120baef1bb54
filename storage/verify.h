/*
 * Checking all of a store, and what the checking of records needs to be told. Part of store.h,
 * which includes it; engines may lack the operation.
 *
 * Floor 1. The store knows how its own data hangs together; what events and records say is for the
 * one who stored them: an auditor looks at them on the store's behalf.
 */
#ifndef ANNALS_STORAGE_VERIFY_H_
#define ANNALS_STORAGE_VERIFY_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/operation.h"

G_BEGIN_DECLS

struct annals_run;
struct annals_store_place;

/* Something that is not as it should be: a view. */
struct annals_store_fault {
  const char *file; /* where it is, by name; "": not known, or in none in particular */
  const char *part; /* of the engine's own data, by its name for it; "": a file as a whole */
  const char *arn;  /* of the execution; "": of none, or not known */
  int64_t event_id; /* that it begins at; 0: of none in particular */
  const char *text; /* one line */
  bool repaired;    /* it is no more; when nothing is to be changed: it could be repaired */
};

/*
 * Looks at executions, one after the other, and at records. One at a time uses it.
 */
struct annals_store_auditor {
  void (*begin)(struct annals_store_auditor *auditor, const char *arn);

  /* Takes the next run, whose frames are as many as its ids. Returns what is wrong with it, with
   * the event's id, or NULL. */
  const char *(*take)(struct annals_store_auditor *auditor, const struct annals_run *run,
                      int64_t *ret_event_id);

  /* Takes the record of the next data key, behind all runs. Returns what is wrong with it, or NULL.
   */
  const char *(*take_data_key)(struct annals_store_auditor *auditor, int64_t ordinal,
                               const uint8_t *record, size_t size);

  /*
   * Ends the execution. record: as it is stored; NULL: there is none. whole: all runs were taken.
   *
   * Returns what is wrong with the record, or NULL. *ret_record is what it should be, if that can
   * be told, and otherwise NULL; the caller unrefs it.
   */
  const char *(*end)(struct annals_store_auditor *auditor, const uint8_t *record, size_t size,
                     bool whole, GBytes **ret_record);

  /* Tells where a record has its execution stand: a view, until it is asked again. Returns false
   * when it is no record. */
  bool (*place)(struct annals_store_auditor *auditor, const uint8_t *record, size_t size,
                const struct annals_store_place **ret_places, size_t *ret_place_count);
};

/* How much there was. */
struct annals_store_verify_summary {
  int64_t executions;
  int64_t events;
  int64_t bytes;  /* that were read, of files and of what is in them */
  int64_t faults; /* those repaired among them */
  int64_t repaired;
  int64_t unchecked_files; /* that have no checksum as a whole; that of their parts fits */
};

/*
 * Checks everything: files, histories, records and lists, as they stood when it began. OK also
 * where there are faults; UNAVAILABLE when it was stopped.
 */
struct annals_store_verify {
  struct annals_store_op op;
  struct annals_store_auditor *auditor;
  uint64_t bytes_per_second; /* reads no faster; 0: as fast as it can */

  /* Called on a thread of the engine's, one at a time. on_progress comes some times a second, and
   * returns whether to go on. Both may block. */
  void (*on_fault)(struct annals_store_verify *verify, const struct annals_store_fault *fault);
  bool (*on_progress)(struct annals_store_verify *verify);

  struct annals_store_verify_summary summary; /* result; so far, in on_progress */
};

G_END_DECLS

#endif
